"""Sockets of every family: endpoints, state, and what waits in their queues.

Defined in CRIU's images/{sk-inet,sk-unix,sk-netlink,packet-sock}.proto.  Addresses of inet
sockets are stored as 32-bit words in network byte order, one for IPv4 and four for IPv6.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import msgspec

from cryoscope.checkpoint.criu import names
from cryoscope.checkpoint.process.files import File
from cryoscope.checkpoint.process.queues import Queues
from cryoscope.text import readable

IPPROTO_TCP = 6
LISTEN = 10


class Socket(msgspec.Struct, frozen=True, omit_defaults=True):
    """One socket.

    `local` and `remote` are `address:port` (IPv6 in brackets), a path, or `@name` for an abstract
    unix socket; `recv_queue` and `send_queue` are bytes waiting; `peer` is the inode of the other
    end of a unix connection; `netns` the id of its network namespace.  `inode` is 0 where CRIU
    writes none: for packet sockets.
    """

    family: str
    type: str
    inode: int
    protocol: str | None = None
    state: str | None = None
    local: str | None = None
    remote: str | None = None
    recv_queue: int = 0
    send_queue: int = 0
    backlog: int = 0
    peer: int | None = None
    device: str | None = None
    shutdown: str | None = None
    deleted: bool = False
    netns: int | None = None
    file_id: int = 0

    @property
    def listening(self) -> bool:
        """Whether it accepts connections, or for UDP datagrams from anybody."""
        return self.state == "LISTEN" or (
            self.protocol == "udp" and self.state == "CLOSE" and self.remote is None
        )


def socket_of(file: File, queues: Queues) -> Socket:
    """The record of a socket's entry in files.img, with the lengths of its queues."""
    return FAMILIES[file.type](file, queues)


def endpoint(family: int, words: Any, port: int) -> str | None:
    """`address:port` of an inet socket, or None for the unspecified address and port 0."""
    packed = b"".join(struct.pack("<I", word) for word in words[:4])
    address: IPv4Address | IPv6Address
    if len(packed) == 4:
        address = IPv4Address(packed)
    elif len(packed) == 16:
        address = IPv6Address(packed)
    else:
        return f"?:{port}"
    if address.is_unspecified and not port:
        return None
    return f"{address}:{port}" if address.version == 4 else f"[{address}]:{port}"


def _inet(file: File, queues: Queues) -> Socket:
    entry = file.entry
    received, sent = queues.tcp(entry.ino) if entry.proto == IPPROTO_TCP else (b"", b"")
    return Socket(
        family=names.named(entry.family, names.FAMILIES).lower(),
        type=names.named(entry.type, names.SOCKET_TYPES).lower(),
        inode=entry.ino,
        protocol=names.named(entry.proto, names.PROTOCOLS).lower(),
        state=names.named(entry.state, names.TCP_STATES),
        local=endpoint(entry.family, entry.src_addr, entry.src_port),
        remote=endpoint(entry.family, entry.dst_addr, entry.dst_port),
        recv_queue=len(received),
        send_queue=len(sent),
        backlog=entry.backlog if entry.state == LISTEN else 0,
        device=readable(entry.ifname) or None,
        shutdown=_shutdown(entry),
        netns=entry.ns_id or None,
        file_id=file.id,
    )


def _unix(file: File, queues: Queues) -> Socket:
    entry = file.entry
    return Socket(
        family="unix",
        type=names.named(entry.type, names.SOCKET_TYPES).lower(),
        inode=entry.ino,
        state=names.named(entry.state, names.TCP_STATES),
        local=unix_name(bytes(entry.name)),
        recv_queue=sum(map(len, queues.packets(file.id))),
        backlog=entry.backlog if entry.state == LISTEN else 0,  # of others it is the size of a buffer
        peer=entry.peer or None,
        shutdown=_shutdown(entry),
        deleted=bool(entry.deleted),
        netns=entry.ns_id or None,
        file_id=file.id,
    )


def unix_name(name: bytes) -> str | None:
    """A unix socket's name as `ss` and /proc/net/unix write it: `@` for an abstract one."""
    if not name:
        return None
    if name[0] == 0:
        return "@" + readable(name[1:])
    return readable(name.rstrip(b"\0"))


def _netlink(file: File, _: Queues) -> Socket:
    entry = file.entry
    return Socket(
        family="netlink",
        type="raw",
        inode=entry.ino,
        protocol=names.named(entry.protocol, names.NETLINK_PROTOCOLS).lower(),
        local=f"port {entry.portid}",
        remote=f"port {entry.dst_portid}" if entry.dst_portid else None,
        netns=entry.ns_id or None,
        file_id=file.id,
    )


def _packet(file: File, queues: Queues) -> Socket:
    entry = file.entry
    return Socket(
        family="packet",
        type=names.named(entry.type, names.SOCKET_TYPES).lower(),
        inode=0,
        protocol=f"ethertype {_swapped(entry.protocol):#06x}",
        local=f"interface {entry.ifindex}" if entry.ifindex else None,
        recv_queue=sum(map(len, queues.packets(file.id))),
        netns=entry.ns_id or None,
        file_id=file.id,
    )


def _swapped(number: int) -> int:
    return (number >> 8 & 0xFF) | (number & 0xFF) << 8


def _shutdown(entry: Any) -> str | None:
    return {1: "read", 2: "write", 3: "both"}.get(entry.shutdown) if entry.HasField("shutdown") else None


FAMILIES = {"INETSK": _inet, "UNIXSK": _unix, "NETLINKSK": _netlink, "PACKETSK": _packet}
"""One function a family of sockets."""
