"""Containers as the CRI lists them, with the pod that each is in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryoscope import limits
from cryoscope.engines.cri.abilities import NAMES, document
from cryoscope.engines.cri.client import CallFailed, Client
from cryoscope.engines.cri.refusals import refused
from cryoscope.engines.port import Ability, Container, EngineError, matching
from cryoscope.engines.target import CONTAINER
from cryoscope.text import escape

STATES = {0: "created", 1: "running", 2: "exited"}
"""`ContainerState` (kubernetes/cri-api); anything else is unknown."""
POD = "io.kubernetes.pod."
NAME = "io.kubernetes.container.name"
NOT_RUNNING = Ability(can=False, why="it does not run", cure="only a running container can be captured")


def containers(client: Client, runtime: str, capture: Ability, restore: Ability) -> list[Container]:
    """Every container; raises `EngineUnreachable`, `EngineError`."""
    try:
        found = client.call("ListContainers").containers
        pods = {pod.id: pod for pod in client.call("ListPodSandbox").items}
    except CallFailed as error:
        raise refused(error) from None
    if len(found) > limits.CRI_CONTAINERS:
        raise EngineError(
            f"the runtime lists {len(found)} containers, more than any node has",
            hint="look what listens on the socket; remove containers that ended (crictl rm --all)",
            code="cri.answer",
        )
    listed = (_container(each, pods.get(each.pod_sandbox_id), runtime, capture, restore) for each in found)
    return [each for each in listed if CONTAINER.match(each.id)]


def _container(found: Any, pod: Any, runtime: str, capture: Ability, restore: Ability) -> Container:
    state = STATES.get(found.state, "unknown")
    meta = pod.metadata if pod is not None else None
    scheme = next((short for short, name in NAMES.items() if name == runtime), None)
    labels = found.labels
    return Container(
        engine="cri",
        id=found.id,
        name=escape(labels.get(NAME) or found.metadata.name)[:255],
        state=state,
        target="cri://" + (f"{scheme}/" if scheme else "") + found.id,
        image=escape(found.image.user_specified_image or found.image.image)[:300],
        namespace=escape(labels.get(POD + "namespace") or (meta.namespace if meta else "")) or None,
        pod=escape(labels.get(POD + "name") or (meta.name if meta else "")) or None,
        capture=capture if state == "running" or not capture.can else NOT_RUNNING,
        restore=restore,
    )


def find(listed: Sequence[Container], reference: str, runtime: str) -> Container:
    """The container of a name or of an id's first digits; one that runs goes before those that ended."""
    running = [each for each in listed if each.state == "running"]
    if any(reference == each.name or each.id.startswith(reference) for each in running):
        return matching(running, reference, engine=runtime)
    return matching(listed, reference, engine=runtime)


def details(client: Client, container: str) -> tuple[Any, dict[str, Any]]:
    """A container's status, and what the runtime tells of it beyond the interface; raises `EngineError`."""
    try:
        answer = client.call("ContainerStatus", container_id=container, verbose=True)
    except CallFailed as error:
        raise refused(error) from None
    return answer.status, document(answer.info.get("info", ""))


def pid_of(info: dict[str, Any]) -> int | None:
    """The process that a verbose answer tells, as the runtime's machine counts; None if there is none."""
    pid = info.get("pid")
    return pid if isinstance(pid, int) and not isinstance(pid, bool) and 0 < pid < 1 << 31 else None
