"""The links of a network namespace: listed and taken away, through rtnetlink(7) and without any program.

A thread of its own enters the namespace (setns(2) is for one thread), opens a socket there and ends.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import threading
from collections.abc import Iterator
from typing import NamedTuple

from cryoscope import limits
from cryoscope.text import escape, readable

CLONE_NEWNET = 0x40000000
NEWLINK, DELLINK, GETLINK = 16, 17, 18
ERROR, DONE = 2, 3
REQUEST, ACK, DUMP = 0x1, 0x4, 0x300
HEADER = struct.Struct("=IHHII")
"""`struct nlmsghdr`: length, type, flags, sequence, port."""
LINK = struct.Struct("=BxHiII")
"""`struct ifinfomsg`: family, type, index, flags, change."""
ATTRIBUTE = struct.Struct("=HH")
IFNAME = 3
UP = 0x1
LOOPBACK = 0x8
FALLBACK = frozenset(
    ("tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0")
)
"""Links that every namespace has where the module is loaded: they lead nowhere and cannot be taken away."""
TIMEOUT = 5.0


class Link(NamedTuple):
    number: int
    name: str
    flags: int

    @property
    def dead(self) -> bool:
        """Whether nothing can leave through it."""
        return bool(self.flags & LOOPBACK) or (self.name in FALLBACK and not self.flags & UP)


class Links:
    """The links of the namespace that the descriptor `namespace` leads to; raises OSError."""

    def __init__(self, namespace: int) -> None:
        self._socket = _socket_in(namespace)
        self._socket.settimeout(TIMEOUT)
        self._number = 0

    def close(self) -> None:
        self._socket.close()

    def all(self) -> list[Link]:
        """All of them."""
        self._send(GETLINK, REQUEST | DUMP, LINK.pack(0, 0, 0, 0, 0))
        found: list[Link] = []
        for kind, data in self._answers():
            if kind == NEWLINK and len(found) < limits.NETWORK_LINKS:
                found.append(_link(data))
        return found

    def take_away(self) -> list[str]:
        """Take away all but the loopback; returns the names of those that are left and could lead out."""
        for link in self.all():
            if link.flags & LOOPBACK:
                continue
            if self._ask(DELLINK, LINK.pack(0, 0, link.number, 0, 0)):
                self._ask(NEWLINK, LINK.pack(0, 0, link.number, 0, UP))
        return [link.name for link in self.all() if not link.dead]

    def _ask(self, kind: int, body: bytes) -> int:
        """One change; returns the kernel's errno, 0 if it was made."""
        self._send(kind, REQUEST | ACK, body)
        for answer, data in self._answers():
            if answer == ERROR:
                return -int(struct.unpack_from("=i", data)[0])
        return 0

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self._number += 1
        self._socket.send(HEADER.pack(HEADER.size + len(body), kind, flags, self._number, 0) + body)

    def _answers(self) -> Iterator[tuple[int, bytes]]:
        """The kernel's messages to the last request."""
        while True:
            data = self._socket.recv(1 << 18)
            while len(data) >= HEADER.size:
                size, kind, _, number, _ = HEADER.unpack_from(data)
                if not HEADER.size <= size <= len(data):
                    raise OSError("an answer of rtnetlink ends before its end")
                if number == self._number and kind != DONE:
                    yield kind, data[HEADER.size : size]
                if kind in (DONE, ERROR):
                    return
                data = data[(size + 3) & ~3 :]


def _link(data: bytes) -> Link:
    _, _, index, flags, _ = LINK.unpack_from(data)
    name, at = "", LINK.size
    while at + ATTRIBUTE.size <= len(data):
        size, kind = ATTRIBUTE.unpack_from(data, at)
        if kind == IFNAME:
            name = escape(readable(data[at + ATTRIBUTE.size : at + size].rstrip(b"\0")))
        at += max((size + 3) & ~3, ATTRIBUTE.size)
    return Link(index, name, flags)


def _socket_in(namespace: int) -> socket.socket:
    found: list[socket.socket | OSError] = []
    thread = threading.Thread(target=_enter, args=(namespace, found))
    thread.start()
    thread.join()
    if isinstance(found[0], OSError):
        raise found[0]
    return found[0]


def _enter(namespace: int, found: list[socket.socket | OSError]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET):
        number = ctypes.get_errno()
        found.append(OSError(number, f"setns: {os.strerror(number)}"))
        return
    try:
        made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        made.bind((0, 0))
        found.append(made)
    except OSError as error:
        found.append(error)
