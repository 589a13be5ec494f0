"""The other ends of connections."""

from __future__ import annotations

from cryoscope.checkpoint.process import Socket
from cryoscope.checkpoint.process.holders import HeldSocket
from cryoscope.examine.indicators.kinds import ip
from cryoscope.examine.iocs.asked import Asked
from cryoscope.examine.iocs.records import Sighting

WHY = "a process was connected to it"


def collect(asked: Asked) -> None:
    """Addresses that sockets of any process were connected to."""
    for held in asked.checkpoint.sockets:
        address, port = _endpoint(held.socket)
        found = ip(address.encode("ascii", "replace")) if address else None
        if found is not None:
            value = found.value.decode("ascii")
            asked.value("ip", value, found.note, "medium", WHY, _sighting(held, port))


def _endpoint(socket: Socket) -> tuple[str, int | None]:
    """Address and port of the other end; that of an IPv6 address in brackets."""
    if socket.remote is None or not socket.family.startswith("inet"):
        return "", None
    host, _, port = socket.remote.rpartition(":")
    return host.strip("[]"), int(port) if port.isdecimal() else None


def _sighting(held: HeldSocket, port: int | None) -> Sighting:
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
