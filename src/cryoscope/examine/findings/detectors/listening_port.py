"""Ports that the container listens on and that nobody declared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from cryoscope.checkpoint.container import Container
from cryoscope.checkpoint.process.holders import HeldSocket
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.known.endpoints import BACKDOORS, endpoint
from cryoscope.examine.findings.known.evidences import of_socket
from cryoscope.examine.findings.scene import Scene

KUBERNETES = "io.kubernetes.container.ports"
"""The kubelet's annotation of a container: a list of {"containerPort": 80, "protocol": "TCP"}."""

UNDECLARED = "Ports are open that the container does not declare"


def look(scene: Scene) -> Iterator[Suspicion]:
    """Sockets that listen for TCP from other machines."""
    known = declared(scene.container)
    for held in scene.sockets:
        found = endpoint(held.socket.local)
        if held.socket.state != "LISTEN" or found is None or found[0].is_loopback or found[1] in known:
            continue
        yield _suspicion(held, found[1], known)


def _suspicion(held: HeldSocket, port: int, known: set[int]) -> Suspicion:
    listens = f"listens on {held.socket.local}"
    if port in BACKDOORS:
        evidence = of_socket(held, f"{listens}; the port is {BACKDOORS[port]}")
        return Suspicion([evidence], "medium", "A port is open that back doors use")
    if known:
        shown = ", ".join(map(str, sorted(known)[:20]))
        return Suspicion([of_socket(held, f"{listens}; declared: {shown}")], "low", UNDECLARED)
    return Suspicion([of_socket(held, listens)])


def declared(container: Container) -> set[int]:
    """Ports that the engine or Kubernetes was told of: exposed, published, or named in the pod."""
    found = set[int]()
    facts = container.facts
    exposed = facts.get("exposedPorts")
    found |= _numbers([str(port).partition("/")[0] for port in exposed] if isinstance(exposed, dict) else [])
    for mapping in _dicts(facts.get("newPortMappings")):
        first, count = mapping.get("container_port"), mapping.get("range") or 1
        if isinstance(first, int) and isinstance(count, int):
            found |= set(range(first, first + min(max(count, 1), 65536)))
    kept = facts.get("Annotations")
    for told in (container.annotations, kept if isinstance(kept, dict) else {}):
        for port in _dicts(_json(told.get(KUBERNETES))):
            found |= _numbers([port.get("containerPort")])
    return found


def _numbers(values: list[Any]) -> set[int]:
    return {int(str(value)) for value in values if str(value).isascii() and str(value).isdigit()}


def _dicts(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _json(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        return None


DETECTOR = Detector(
    name="listening-port",
    title="Ports are open; what the container declares is not known",
    severity="info",
    why="A back door may listen for whoever planted it. Images and pods declare the ports they serve, "
    "though they need not, and an archive seldom says: so this is where to begin, not what to "
    "conclude.",
    next=[
        "cryoscope sockets ARCHIVE: which process listens, and who is connected",
        "compare with the ports of the image (EXPOSE) and of the pod (containerPort)",
    ],
    techniques=["T1571"],
    references=[
        "MITRE ATT&CK T1571, Non-Standard Port",
    ],
    look=look,
)
