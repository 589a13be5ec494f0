"""What Kubernetes saves next to an archive: the pod, its events, the container's log."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from urllib.parse import quote

import msgspec

from cryoscope.engines.beside import Beside
from cryoscope.engines.kubelet.engine import Kubernetes
from cryoscope.engines.port import Container, EngineError

EVENTS = 500
"""Events of one pod that are asked for: the API server keeps them for an hour."""


def companions(engine: Kubernetes, container: Container, wanted: Collection[str]) -> Iterator[Beside]:
    """The files of `wanted` kinds; each is asked for when its bytes are read."""
    namespace, pod = quote(container.namespace or "", safe=""), quote(container.pod or "", safe="")
    where = f"/api/v1/namespaces/{namespace}/pods/{pod}"
    events = f"/api/v1/namespaces/{namespace}/events"
    about = {
        "fieldSelector": f"involvedObject.kind=Pod,involvedObject.name={container.pod}",
        "limit": str(EVENTS),
    }
    if "pod" in wanted:
        yield Beside("pod", "pod.json", _object(engine, where, {}), _source(where))
    if "inspect" in wanted:
        yield Beside("inspect", "status.json", _status(engine, container, where), _source(where))
    if "events" in wanted:
        yield Beside("events", "events.json", _object(engine, events, about), _source(events))
    if "logs" in wanted:
        yield Beside("logs", "container.log", _log(engine, container, where), _source(f"{where}/log"))


def _source(path: str) -> str:
    return f"GET {path} of the API server"


def _object(engine: Kubernetes, path: str, parameters: dict[str, str]) -> Iterator[bytes]:
    with engine.cluster.asking():
        found = engine.cluster.client().get(path, parameters or None)
    yield msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"


def _status(engine: Kubernetes, container: Container, path: str) -> Iterator[bytes]:
    """What the pod's status says of the container, in all of its lists."""
    with engine.cluster.asking():
        status = engine.cluster.client().get(path).get("status")
    lists = status.values() if isinstance(status, dict) else ()
    rows = [row for each in lists if isinstance(each, list) for row in each if isinstance(row, dict)]
    found = [row for row in rows if row.get("name") == container.name and "containerID" in row]
    if not found:
        raise EngineError(
            f"the pod's status has no {container.name}", hint="has it started?", code="companions.status"
        )
    yield msgspec.json.format(msgspec.json.encode(found[0]), indent=2) + b"\n"


def _log(engine: Kubernetes, container: Container, where: str) -> Iterator[bytes]:
    parameters = {"container": container.name, "timestamps": "true"}
    with engine.cluster.asking(), engine.cluster.client().stream(f"{where}/log", parameters) as blocks:
        yield from blocks
