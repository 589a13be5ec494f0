"""Connections that the container opened to machines outside."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.checkpoint.process.holders import HeldSocket
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.known.endpoints import REMOTE, Address, endpoint, public
from cryoscope.examine.findings.known.evidences import of_socket
from cryoscope.examine.findings.scene import Scene

OPEN = ("ESTABLISHED", "SYN_SENT", "CLOSE_WAIT", "FIN_WAIT1", "FIN_WAIT2")


def look(scene: Scene) -> Iterator[Suspicion]:
    """Connections to public addresses, and to ports that are known for something, that began here."""
    listening = {_port(held.socket.local) for held in scene.sockets if held.socket.state == "LISTEN"}
    for held in scene.sockets:
        remote = endpoint(held.socket.remote)
        if remote is None or not _opened(held) or _port(held.socket.local) in listening:
            continue
        yield from _suspicions(held, *remote)


def _port(text: str | None) -> int | None:
    found = endpoint(text)
    return found[1] if found else None


def _opened(held: HeldSocket) -> bool:
    return held.socket.state in OPEN or held.socket.protocol == "udp"


def _suspicions(held: HeldSocket, address: Address, port: int) -> Iterator[Suspicion]:
    if address.is_loopback or address.is_unspecified:
        return
    if port in REMOTE and held.socket.protocol != "udp":
        what = f"is connected to port {port}, {REMOTE[port]}"
        yield Suspicion(
            [of_socket(held, what)], "medium", "Connected to a port that is known for little good"
        )
    elif public(address):
        yield Suspicion([of_socket(held, "is connected to the internet")])


DETECTOR = Detector(
    name="outbound-connection",
    title="Connections go out to the internet",
    severity="low",
    why="Remote control, mining and stolen data go over connections that the container opens itself. "
    "Most connections are the service's own work; a shell, an interpreter or an unknown program that "
    "has one is not.",
    next=[
        "cryoscope sockets ARCHIVE; look the addresses up in lists of known attackers (cryoscope iocs)",
        "cryoscope search for the address: who else names it, and what waits in the socket",
    ],
    techniques=["T1071", "T1571"],
    references=[
        "MITRE ATT&CK T1071, Application Layer Protocol",
        "MITRE ATT&CK T1571, Non-Standard Port",
    ],
    look=look,
)
