"""The sockets of a container as they are now, with the processes that hold them.

Read from /proc/NUMBER/net/{tcp,tcp6,udp,udp6,unix} of one process of each network namespace (proc_pid_net(5);
kernel net/ipv4/tcp_ipv4.c, net/unix/af_unix.c): what belongs to the container is told by its descriptors, so
that a network shared with a pod or the host does no harm.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import msgspec

from cryoscope.checkpoint.criu import names
from cryoscope.checkpoint.process.sockets import endpoint
from cryoscope.engines.live import LiveFile, LiveProcess, content, link
from cryoscope.engines.port import Record
from cryoscope.text import readable

INET = {"tcp": ("tcp", 2), "tcp6": ("tcp", 10), "udp": ("udp", 2), "udp6": ("udp", 10)}
"""File to protocol and address family."""
UNIX_TYPES = {1: "stream", 2: "dgram", 5: "seqpacket"}
ACCEPTS = 1 << 16
"""Flag of a unix socket that listens (SO_ACCEPTCON, linux/net.h)."""
CONNECTED = 3
"""State of a unix socket that is connected (SS_CONNECTED)."""
OPEN = ("ESTABLISHED", "SYN_SENT", "FIN_WAIT1", "FIN_WAIT2", "CLOSE_WAIT", "LAST_ACK", "CLOSING")
"""States of TCP that CRIU refuses unless it is told what becomes of them (criu/sk-inet.c)."""


class LiveSocket(Record, frozen=True, kw_only=True):
    """A socket: `protocol` is tcp, udp or unix, addresses as in `cryoscope sockets`, `pids` its holders'."""

    protocol: str
    type: str
    inode: int
    state: str
    local: str | None = None
    remote: str | None = None
    pids: list[int] = []

    @property
    def open_tcp(self) -> bool:
        """Whether it is one end of a TCP connection."""
        return self.protocol == "tcp" and self.state in OPEN


def sockets(processes: Sequence[LiveProcess], opened: dict[int, list[LiveFile]]) -> list[LiveSocket]:
    """The sockets that processes hold; `opened` has the descriptors of each by its pid."""
    holders: dict[int, list[int]] = {}
    for process in processes:
        for inode in {file.socket for file in opened.get(process.pid, ())} - {None}:
            holders.setdefault(inode or 0, []).append(process.pid)
    found: dict[int, LiveSocket] = {}
    for number in _namespaces(processes):
        for socket in _all(number):
            if socket.inode in holders:
                found[socket.inode] = socket
    return [_held(socket, sorted(holders[inode])) for inode, socket in sorted(found.items())]


def _held(socket: LiveSocket, pids: list[int]) -> LiveSocket:
    return msgspec.structs.replace(socket, pids=pids)


def _namespaces(processes: Sequence[LiveProcess]) -> list[int]:
    """One process of each network namespace."""
    found = {link(process.number, "ns/net"): process.number for process in processes}
    return [number for space, number in found.items() if space]


def _all(number: int) -> Iterator[LiveSocket]:
    for name, (protocol, family) in INET.items():
        for line in content(number, f"net/{name}").splitlines()[1:]:
            if (socket := _inet(line, protocol, family)) is not None:
                yield socket
    for line in content(number, "net/unix").splitlines()[1:]:
        if (socket := _unix(line)) is not None:
            yield socket


def _inet(line: bytes, protocol: str, family: int) -> LiveSocket | None:
    """`sl local remote st queues timer retransmits uid timeout inode`: addresses are words in host order."""
    fields = line.split()
    try:
        return LiveSocket(
            protocol=protocol,
            type="stream" if protocol == "tcp" else "dgram",
            inode=int(fields[9]),
            state=names.named(int(fields[3], 16), names.TCP_STATES),
            local=_address(fields[1], family),
            remote=_address(fields[2], family),
        )
    except (ValueError, IndexError):
        return None


def _address(text: bytes, family: int) -> str | None:
    digits, _, port = text.partition(b":")
    words = [int(digits[at : at + 8], 16) for at in range(0, len(digits), 8)]
    little = struct.unpack(f"<{len(words)}I", struct.pack(f"={len(words)}I", *words))
    return endpoint(family, little, int(port, 16))


def _unix(line: bytes) -> LiveSocket | None:
    """`num refcount protocol flags type state inode [path]`; `@` begins an abstract name."""
    fields = line.split(None, 7)
    try:
        state = "LISTEN" if int(fields[3], 16) & ACCEPTS else _connected(int(fields[5], 16))
        return LiveSocket(
            protocol="unix",
            type=UNIX_TYPES.get(int(fields[4], 16), "other"),
            inode=int(fields[6]),
            state=state,
            local=readable(fields[7]) if len(fields) > 7 else None,
        )
    except (ValueError, IndexError):
        return None


def _connected(state: int) -> str:
    return "ESTABLISHED" if state == CONNECTED else "CLOSE"
