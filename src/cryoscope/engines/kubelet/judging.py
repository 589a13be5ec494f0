"""What an answer means: a path, or the error of its row in the tables."""

from __future__ import annotations

from collections.abc import Sequence

from cryoscope import limits
from cryoscope.engines import criu_log
from cryoscope.engines.kubelet import location
from cryoscope.engines.kubelet.cases import Case
from cryoscope.engines.kubelet.errors import KubeletError, NotCheckpointable
from cryoscope.engines.kubelet.place import Place
from cryoscope.engines.port import EngineError
from cryoscope.kubeapi.errors import shown
from cryoscope.kubeapi.http import Answer
from cryoscope.text import readable


def path_of(answer: Answer, place: Place, cases: Sequence[Case]) -> str:
    """Where the archive lies on the node; raises the error that the answer means."""
    if answer.status != 200:
        raise error_of(answer, place, cases)
    return location.of_answer(answer.body, place)


def error_of(answer: Answer, place: Place, cases: Sequence[Case]) -> EngineError:
    """The error of the first row that fits, else what CRIU's log says in it, else what was said."""
    body = readable(answer.body[: limits.KUBELET_ANSWER])
    for case in cases:
        found = case.match(answer.status, body)
        if found:
            return _of_case(case, found.groupdict(), place)
    cause = criu_log.explain(body) if answer.status == 500 else None
    if cause is not None:
        return NotCheckpointable(f"{place.container}: {cause.what}", hint=cause.cure, code=cause.code)
    return KubeletError(
        f"the kubelet of {place.node or 'the node'} says {answer.status}: {shown(answer.body) or 'nothing'}",
        hint="look at the kubelet's and the runtime's log on the node",
    )


def _of_case(case: Case, groups: dict[str, str], place: Place) -> EngineError:
    words = {
        "namespace": place.namespace,
        "pod": place.pod,
        "container": place.container,
        "node": place.node or "the node",
        **{name: shown(text or "") for name, text in groups.items()},
    }
    # `replace` and not `format`: what strangers said is never a template.
    what, cure = case.what, case.cure
    for name, text in words.items():
        what, cure = what.replace("{" + name + "}", text), cure.replace("{" + name + "}", text)
    return case.kind(what, hint=cure, code=case.code)
