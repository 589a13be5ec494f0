"""Sockets of every family that CRIU dumps, some with data that nobody has read."""

import fcntl
import os
import socket
import struct
import termios
import time
from socket import AF_INET, AF_INET6, AF_UNIX, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM

from parts import keep, part

TCP4, TCP6, UDP, PEER, ESTABLISHED = 7771, 7772, 7773, 7774, 7775


def bound(family: int, kind: int, address: object) -> socket.socket:
    """A socket that stays, bound to an address."""
    made = keep(socket.socket(family, kind))
    made.bind(address)  # type: ignore[arg-type]
    return made


@part()
def unix_stream() -> object:
    """A listener with a path, and a connection to it with unread data."""
    listener = bound(AF_UNIX, SOCK_STREAM, "stream.sock")
    listener.listen(3)
    client = keep(socket.socket(AF_UNIX))
    client.connect("stream.sock")
    server = keep(listener.accept()[0])
    client.send(b"UNIX-STREAM-SECRET")
    told = {"listener": listener.fileno(), "path": os.path.abspath("stream.sock"), "backlog": 3}
    return told | {"client": client.fileno(), "server": server.fileno(), "queued": "UNIX-STREAM-SECRET"}


@part()
def unix_datagram() -> object:
    """Two datagrams: their border must survive."""
    first, second = map(keep, socket.socketpair(AF_UNIX, SOCK_DGRAM))
    texts = ["DATAGRAM-ONE-SECRET", "DATAGRAM-TWO-SECRET"]
    for text in texts:
        first.send(text.encode())
    return {"sender": first.fileno(), "holder": second.fileno(), "queued": texts}


@part()
def unix_seqpacket() -> object:
    first, second = map(keep, socket.socketpair(AF_UNIX, SOCK_SEQPACKET))
    second.send(b"SEQPACKET-SECRET")
    return {"sender": second.fileno(), "holder": first.fileno(), "queued": "SEQPACKET-SECRET"}


@part()
def unix_abstract() -> object:
    listener = bound(AF_UNIX, SOCK_STREAM, "\0lab-abstract")
    listener.listen(1)
    return {"listener": listener.fileno(), "name": "lab-abstract"}


@part()
def tcp_listen() -> object:
    four, six = bound(AF_INET, SOCK_STREAM, ("127.0.0.1", TCP4)), bound(AF_INET6, SOCK_STREAM, ("::1", TCP6))
    four.listen(5)
    six.listen(2)
    return {"v4": four.fileno(), "port4": TCP4, "v6": six.fileno(), "port6": TCP6}


@part()
def udp() -> object:
    """One that is bound, and one that is connected to a port where nobody listens."""
    alone = bound(AF_INET, SOCK_DGRAM, ("127.0.0.1", UDP))
    connected = keep(socket.socket(AF_INET, SOCK_DGRAM))
    connected.connect(("127.0.0.1", PEER))
    told = {"bound": alone.fileno(), "port": UDP, "connected": connected.fileno(), "peer": PEER}
    return told | {"local": connected.getsockname()[1]}


@part()
def netlink() -> object:
    """Bound to no group: CRIU refuses one with unread messages."""
    made = bound(socket.AF_NETLINK, socket.SOCK_RAW, (0, 0))
    return {"fd": made.fileno(), "portid": made.getsockname()[0], "protocol": 0}


@part()
def packet() -> object:
    """Bound to lo, for a protocol that nobody sends; left out where the container has no CAP_NET_RAW."""
    made = keep(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
    made.bind(("lo", 0x88B5))
    return {"fd": made.fileno(), "interface": "lo", "protocol": 0x88B5}


@part(optional=True)
def tcp() -> object:
    """A connection to itself with unread data in both directions; engines want --tcp-established for it."""
    listener = bound(AF_INET, SOCK_STREAM, ("127.0.0.1", ESTABLISHED))
    listener.listen(1)
    client = keep(socket.create_connection(("127.0.0.1", ESTABLISHED)))
    server = keep(listener.accept()[0])
    client.send(b"TCP-TO-SERVER-SECRET")
    server.send(b"TCP-TO-CLIENT-SECRET")
    while any(_unacknowledged(end) for end in (client, server)):
        time.sleep(0.01)
    told = {"client": client.fileno(), "port": client.getsockname()[1], "server": server.fileno()}
    told |= {"at-server": "TCP-TO-SERVER-SECRET", "at-client": "TCP-TO-CLIENT-SECRET"}
    return told | {"listens": ESTABLISHED}


def _unacknowledged(end: socket.socket) -> int:
    return struct.unpack("i", fcntl.ioctl(end, termios.TIOCOUTQ, bytes(4)))[0]
