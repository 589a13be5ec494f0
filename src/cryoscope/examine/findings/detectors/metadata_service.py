"""The cloud's metadata service: where a container gets the machine's own credentials."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_process
from cryoscope.examine.findings.known.endpoints import METADATA, endpoint
from cryoscope.examine.findings.known.programs import FETCHERS, is_shell, names
from cryoscope.examine.findings.records import Evidence
from cryoscope.examine.findings.scene import Scene


def look(scene: Scene) -> Iterator[Suspicion]:
    """Connections to the service, and command lines that name it."""
    for held in scene.sockets:
        remote = endpoint(held.socket.remote)
        if remote and str(remote[0]) in METADATA and held.holders:
            first, what = held.holders[0], f"is connected to {METADATA[str(remote[0])]}"
            text = held.socket.remote
            yield Suspicion([Evidence(what=what, pid=first.pid, comm=first.comm, fd=first.fd, text=text)])
    for process in scene.processes:
        named = next((address for address in METADATA if f"//{address}" in process.command), None)
        if named and (is_shell(process) or FETCHERS.intersection(names(process))):
            yield Suspicion([of_process(process, f"asks for {METADATA[named]}")], "medium")


DETECTOR = Detector(
    name="metadata-service",
    title="The cloud's metadata service is asked",
    severity="low",
    why="The service gives whoever asks the credentials of the node or the pod. SDKs ask it as part of "
    "their work; a shell or curl that does is somebody looking around.",
    next=[
        "cryoscope secrets ARCHIVE: did the answer stay in memory",
        "the cloud's own log: where the credentials were used since",
    ],
    techniques=["T1552.005"],
    references=[
        "MITRE ATT&CK T1552.005, Unsecured Credentials: Cloud Instance Metadata API",
    ],
    look=look,
)
