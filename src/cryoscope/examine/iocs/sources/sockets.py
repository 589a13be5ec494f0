"""The other ends of connections."""

from __future__ import annotations

from cryoscope.checkpoint.process.holders import HeldSocket
from cryoscope.examine.findings.known.endpoints import endpoint
from cryoscope.examine.indicators.kinds import ip
from cryoscope.examine.iocs.asked import Asked
from cryoscope.examine.iocs.records import Sighting

WHY = "a process was connected to it"


def collect(asked: Asked) -> None:
    """Addresses that sockets of any process were connected to."""
    for held in asked.checkpoint.sockets:
        remote = endpoint(held.socket.remote) if held.socket.family.startswith("inet") else None
        found = ip(str(remote[0]).encode("ascii")) if remote else None
        if remote and found is not None:
            value = found.value.decode("ascii")
            asked.value("ip", value, found.note, "medium", WHY, _sighting(held, remote[1]))


def _sighting(held: HeldSocket, port: int) -> Sighting:
    socket = held.socket
    holder = held.holders[0] if held.holders else None
    return Sighting(
        source="socket",
        pid=holder.pid if holder else None,
        comm=holder.comm if holder else None,
        fd=holder.fd if holder else None,
        protocol=socket.protocol,
        port=port or None,
        text=f"{socket.protocol} {socket.local or '*'} -> {socket.remote} {socket.state or ''}".rstrip(),
    )
