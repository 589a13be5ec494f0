"""What a process's standard streams lead to: pipes shared with others, terminals, sockets."""

from __future__ import annotations

from cryoscope.checkpoint.process import Descriptor, Process
from cryoscope.examine.findings.known.folders import base
from cryoscope.examine.findings.scene import Scene

STANDARD = (0, 1, 2)
INET = ("inet", "inet6")

SERVERS = frozenset(
    """inetd xinetd systemd sshd sshd-session tcpserver tcpsvd in.telnetd telnetd in.rshd rlogind launchd
    s6-tcpserver s6-tcpserver4d s6-tcpserver6d""".split()  # noqa: SIM905
)
"""Programs whose work is to start others with a connection as their standard streams."""


def standard(scene: Scene, process: Process) -> dict[int, Descriptor]:
    """Standard input, output and errors by number, as far as they are open."""
    return {each.fd: each for each in scene.descriptors(process.pid) if each.fd in STANDARD}


def connected(descriptor: Descriptor) -> bool:
    """Whether a descriptor is a connection to another machine or port: it may have been closed meanwhile."""
    socket = descriptor.socket
    return socket is not None and socket.family in INET and not socket.listening and socket.remote is not None


def is_inet(descriptor: Descriptor) -> bool:
    """Whether a descriptor is a stream or datagram socket of the internet protocols."""
    return descriptor.socket is not None and descriptor.socket.family in INET


def served(scene: Scene, process: Process) -> bool:
    """Whether an ancestor is one of `SERVERS`."""
    return any(_name(each) in SERVERS for each in scene.ancestors(process.pid))


def accepted(scene: Scene, process: Process, descriptor: Descriptor) -> bool:
    """Whether an ancestor listens on the port that a connection came to."""
    port = _port(descriptor)
    held = (other for each in scene.ancestors(process.pid) for other in scene.descriptors(each.pid))
    return bool(port) and any(
        other.socket is not None and other.socket.listening and is_inet(other) and _port(other) == port
        for other in held
    )


def _port(descriptor: Descriptor) -> str:
    """The port of a socket's own end."""
    local = descriptor.socket.local if descriptor.socket is not None else None
    return (local or "").rpartition(":")[2]


def _name(process: Process) -> str:
    first = (process.cmdline or [""])[0].split(" ")[0].rstrip(":")
    name = base(process.exe or "")
    return base(first) if name in ("busybox", "toybox", "") else name


def in_words(descriptor: Descriptor) -> str:
    """A connection as its ends: `10.0.0.2:51234 to 192.0.2.7:4444, ESTABLISHED`."""
    socket = descriptor.socket
    if socket is None:
        return descriptor.target
    ends = f"{socket.local or '?'} to {socket.remote or '?'}"
    return f"{socket.protocol or socket.family} {ends}, {socket.state or 'state unknown'}"
