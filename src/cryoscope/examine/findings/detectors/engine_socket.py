"""The socket of the container engine in the container: who has it, commands the host."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_process
from cryoscope.examine.findings.known.evidences import of_mount, of_socket
from cryoscope.examine.findings.known.mounts import host_mounts
from cryoscope.examine.findings.known.programs import RUNTIME_CLIENTS, names
from cryoscope.examine.findings.records import Evidence
from cryoscope.examine.findings.scene import Scene

SOCKET = re.compile(
    r"(?:/[\w./-]*)?/(?:docker|containerd|crio|podman|dockershim|cri-dockerd|buildkitd|frakti)(?:\.raw)?\.sock\b"
)


def look(scene: Scene) -> Iterator[Suspicion]:
    """Mounts of such a socket, connections to one, and command lines that name one."""
    severity = "medium" if _expected(scene) else None
    for mount in host_mounts(scene):
        if SOCKET.search(mount.source) or SOCKET.search(mount.destination):
            yield Suspicion([of_mount(mount, "the engine's socket is mounted here")], severity)
    yield from (Suspicion([found], severity) for found in _unspecified(scene))
    for held in scene.sockets:
        if held.socket.state == "ESTABLISHED" and SOCKET.search(held.socket.remote or ""):
            yield Suspicion([of_socket(held, "is connected to the engine")], severity)
    for process in scene.processes:
        if SOCKET.search(process.command) and not RUNTIME_CLIENTS.intersection(names(process)):
            yield Suspicion([of_process(process, "names the engine's socket")], severity)


def _unspecified(scene: Scene) -> Iterator[Evidence]:
    """Sockets that CRIU saw mounted and no spec names."""
    known = {mount.destination for mount in host_mounts(scene)}
    for mount in scene.checkpoint.mounts:
        if mount.external and mount.mountpoint not in known and SOCKET.search("/" + mount.root.lstrip("/")):
            text = f"{mount.root} on {mount.mountpoint}"
            yield Evidence(what="the engine's socket is mounted here", path=mount.mountpoint, text=text)


def _expected(scene: Scene) -> bool:
    """Whether the container's own work is to speak to the engine."""
    return scene.first is not None and bool(RUNTIME_CLIENTS.intersection(names(scene.first)))


DETECTOR = Detector(
    name="engine-socket",
    title="The container can command the container engine",
    severity="high",
    why="Over its socket the engine starts a privileged container with the host's root mounted, for "
    "whoever asks: the container is as good as root on the host. Medium where its first program is "
    "known to need it.",
    next=[
        "cryoscope sockets and cryoscope search 'POST /v' ARCHIVE: was the engine asked for something",
        "the engine's own list of containers and its log: which were made at that time",
    ],
    techniques=["T1611", "T1610", "T1609"],
    references=[
        "MITRE ATT&CK T1611, Escape to Host",
        "OWASP Docker Security Cheat Sheet, rule 1",
    ],
    look=look,
)
