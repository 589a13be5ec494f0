"""What a runtime saves next to an archive: ContainerStatus, PodSandboxStatus, and the log on its node.

The interface tells of no events in the past and hands out no images: those have words of their own runtime.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from cryoscope.engines.beside import Beside
from cryoscope.engines.cri import nodefiles
from cryoscope.engines.cri.abilities import CONTAINERD, document
from cryoscope.engines.cri.client import CallFailed
from cryoscope.engines.cri.engine import Cri
from cryoscope.engines.cri.images import REFERENCE
from cryoscope.engines.cri.refusals import refused
from cryoscope.engines.port import Container, EngineError
from cryoscope.text import escape, readable

LOG_END = ".log"
"""What logs of containers end with (kubernetes/cri-api, ContainerConfig.log_path; CRI-O names its own so)."""
EXPORTS = {
    True: "ctr -n k8s.io images export image.tar {}",
    False: "skopeo copy containers-storage:{} oci-archive:image.tar",
}
"""How an image is saved by hand; the key is whether it is containerd."""


def companions(engine: Cri, container: Container, wanted: Collection[str]) -> Iterator[Beside]:
    """The files of `wanted` kinds; each is asked for when its bytes are read."""
    if "inspect" in wanted:
        yield Beside("inspect", "inspect.json", _status(engine, container), _of("ContainerStatus", engine))
    if "pod" in wanted:
        yield Beside("pod", "pod.json", _pod(engine, container), _of("PodSandboxStatus", engine))
    if "logs" in wanted:
        yield Beside("logs", "container.log", _log(engine, container), _of("log_path", engine))
    if "image" in wanted:
        yield Beside("image", "image.tar", _image(engine, container), _of("ImageStatus", engine))


def _of(what: str, engine: Cri) -> str:
    return f"{what} of the runtime on {engine.socket}"


def _ask(engine: Cri, method: str, **values: Any) -> Any:
    try:
        return engine.client.call(method, **values)
    except CallFailed as error:
        raise refused(error) from None


def _status(engine: Cri, container: Container) -> Iterator[bytes]:
    yield _shown(_ask(engine, "ContainerStatus", container_id=container.id, verbose=True))


def _pod(engine: Cri, container: Container) -> Iterator[bytes]:
    found = _ask(engine, "ListContainers", filter={"id": container.id}).containers
    if not found:
        raise EngineError(
            f"the runtime no longer has {container.id[:12]}",
            hint="look again: cryoscope targets",
            code="cri.container-unknown",
        )
    yield _shown(_ask(engine, "PodSandboxStatus", pod_sandbox_id=found[0].pod_sandbox_id, verbose=True))


def _shown(answer: Any) -> bytes:
    """A verbose answer as crictl prints it: the fields that this release knows, and all of `info`."""
    from google.protobuf.json_format import MessageToDict

    info = {key: document(text) or text for key, text in answer.info.items()}
    whole = {"status": MessageToDict(answer.status), "info": info}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"


def _log(engine: Cri, container: Container) -> Iterator[bytes]:
    """The log as it is on the node: lines of time, stream and tag; older ones may be in rotated files."""
    path = _ask(engine, "ContainerStatus", container_id=container.id).status.log_path
    if not path.endswith(LOG_END):
        raise EngineError(
            "the runtime names no log of it" if not path else f"{_text(path)} is no name of a log",
            hint="runtimes write one only for pods with a log folder, as kubelets make them",
            code="cri.log",
        )
    try:
        yield from nodefiles.whole(engine.host, path)
    except OSError as error:
        raise EngineError(
            f"{_text(path)} cannot be read: {_text(str(error.strerror or error))}",
            hint="it must be a plain file reached without links: take it by hand",
            code="cri.log",
        ) from None


def _image(engine: Cri, container: Container) -> Iterator[bytes]:
    """None: raises with the command that has it."""
    yield from ()
    name = container.image if REFERENCE.match(container.image) else "IMAGE"
    raise EngineError(
        "no image comes through the CRI",
        hint=f"on the node: {EXPORTS[engine.runtime.name == CONTAINERD].format(name)}",
        code="cri.image-export",
    )


def _text(told: str) -> str:
    return escape(readable(told))[:200]
