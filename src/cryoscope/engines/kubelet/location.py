"""The path that a kubelet answers: `ROOT/checkpoints/checkpoint-POD_NAMESPACE-CONTAINER-TIME.tar`.

TIME is the node's local time to the second (RFC 3339), so that two captures in one second have one name
(pkg/kubelet/kubelet.go, CheckpointContainer).  The path is a stranger's: anything of another form is refused.
"""

from __future__ import annotations

import re

import msgspec

from cryoscope.engines.kubelet.errors import Untrusted
from cryoscope.engines.kubelet.place import Place
from cryoscope.kubeapi.errors import shown

FOLDER = "/var/lib/kubelet/checkpoints"
"""Where archives lie unless the kubelet has another --root-dir."""
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)"
ROOT = r"(?:/(?!\.{1,2}/)[A-Za-z0-9._-]{1,255}){1,32}"
CURE = "whoever answers there is no kubelet, or one that is not known: take the archive by hand"


class Answer(msgspec.Struct):
    items: list[str]


def of_answer(body: bytes, place: Place) -> str:
    """The path in an answer, checked to be that of `place`; raises `Untrusted`."""
    try:
        items = msgspec.json.decode(body, type=Answer).items
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Untrusted(f"the kubelet's answer is none: {shown(body)}", hint=CURE) from None
    if len(items) != 1:
        raise Untrusted(f"the kubelet answers with {len(items)} archives where one was asked", hint=CURE)
    if not re.fullmatch(f"{ROOT}/checkpoints/{re.escape(stem(place))}{TIME}\\.tar", items[0], re.ASCII):
        raise Untrusted(
            f"the kubelet answers with a path that is not one of its own: {shown(items[0])}",
            hint=CURE,
            code="kubelet.answer-path",
        )
    return items[0]


def stem(place: Place) -> str:
    """What the names of a container's archives begin with."""
    return f"checkpoint-{place.pod}_{place.namespace}-{place.container}-"
