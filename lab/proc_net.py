"""What is in namespaces: sockets, network devices, System V objects, names.

/proc/PID/net shows the sockets of a process's own namespace.  The rest is shown to whoever lives in a
namespace, so that nsenter(1) reads it from there; programs and files are the reader's own.
"""

from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TypeVar

from lab import places
from lab.proc_parse import table
from lab.proc_records import Device, Segment, Socket, Spaces

IP_TABLES = {"tcp": (1, 6), "udp": (2, 17), "udplite": (2, 136), "raw": (3, 255), "icmp": (2, 1)}
"""Files of /proc/PID/net, also with a 6: the socket's type and protocol."""

SYSVIPC = {"shm": "shmid", "msg": "msqid", "sem": "semid"}
T = TypeVar("T")
LISTEN = 10
GOT_FIN = (8, 9, 11)
"""CLOSE_WAIT, LAST_ACK, CLOSING: the end of the stream counts as a byte until it is read (net/ipv4/tcp.c)."""
SENT_FIN = (4, 9, 11)
"""FIN_WAIT1, LAST_ACK, CLOSING: as above, until it is acknowledged."""
ACCEPTS = 1 << 16
"""__SO_ACCEPTCON in the flags of /proc/PID/net/unix."""
UNIX_STATES = {1: 7, 3: 1}
"""SS_UNCONNECTED is shown as CLOSE, SS_CONNECTED as ESTABLISHED, as CRIU and ss(8) call them."""


def spaces_of(members: dict[tuple[str, int], int], inside: Callable[[str, int], int]) -> Spaces:
    """The contents of namespaces: `members` names a process in each, by kind and inode number.

    `inside` translates an id (`uid` or `gid`) of the reader.
    """
    return Spaces(
        names=_each(members, "uts", _names),
        devices=_each(members, "net", _devices),
        segments=_each(members, "ipc", lambda pid: tuple(_segments(pid, inside))),
        sockets=_each(members, "net", lambda pid: tuple(sockets_of(pid))),
    )


def _each(members: dict[tuple[str, int], int], kind: str, read: Callable[[int], T]) -> dict[int, T]:
    return {number: read(pid) for (found, number), pid in members.items() if found == kind}


def _enter(pid: int, kind: str, *command: str) -> str:
    done = subprocess.run(
        ["nsenter", f"--target={pid}", f"--{kind}", "--", *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        check=False,
    )
    return done.stdout.decode(errors="surrogateescape")


def seen_from(pid: int, others: Iterable[int], name: str) -> dict[int, str]:
    """/proc/PID/`name` of others as whoever lives in the cgroup namespace of `pid` sees it.

    Paths of cgroups, also those in mountinfo, are shown from the root of the reader's namespace.
    """
    script = 'for pid; do echo "= $pid"; cat "/proc/$pid/$FILE" 2> /dev/null; done'
    text = _enter(pid, "cgroup", "env", f"FILE={name}", "sh", "-c", script, "sh", *map(str, others))
    parts = (part.partition("\n") for part in ("\n" + text).split("\n= ")[1:])
    return {int(number): rest for number, _, rest in parts}


def _names(pid: int) -> tuple[str, str]:
    found = _enter(pid, "uts", "cat", "/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname")
    host, domain = [*found.splitlines(), "", ""][:2]
    return host, domain


def _devices(pid: int) -> tuple[Device, ...]:
    # the lab's own ip(8): a small host has none
    rows = json.loads(_enter(pid, "net", "chroot", str(places.root()), "ip", "-j", "addr") or "[]")
    return tuple(
        Device(
            row["ifname"],
            row["ifindex"],
            row["mtu"],
            "UP" in row["flags"],
            _mac(row.get("address", "")),
            tuple(f"{info['local']}/{info['prefixlen']}" for info in row["addr_info"]),
        )
        for row in rows
    )


def _mac(text: str) -> str | None:
    return text if text.strip("0:.") else None


def _segments(pid: int, inside: Callable[[str, int], int]) -> Iterator[Segment]:
    for kind, number in SYSVIPC.items():
        for row in table(_enter(pid, "ipc", "cat", f"/proc/sysvipc/{kind}")):
            row |= {name: inside(name, row[name]) for name in ("uid", "gid")}
            yield Segment(kind, row[number], row | {"perms": int(str(row["perms"]), 8)})


# --- sockets ------------------------------------------------------------------------------------
def sockets_of(pid: int) -> Iterator[Socket]:
    """All sockets of the network namespace of a process that have an inode."""
    for name, (kind, protocol) in IP_TABLES.items():
        for family in ("", "6"):
            rows = _rows(pid, name + family)
            yield from _with_inode(_ip(row, name + family, kind, protocol) for row in rows)
    yield from _with_inode(map(_unix, _rows(pid, "unix")))
    yield from _with_inode(map(_netlink, _rows(pid, "netlink")))
    yield from _with_inode(map(_packet, _rows(pid, "packet")))


def _rows(pid: int, name: str) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/net/{name}").read_text(errors="surrogateescape")
    except OSError:
        return []
    return text.splitlines()[1:]


def _with_inode(sockets: Iterable[Socket]) -> Iterator[Socket]:
    return (socket for socket in sockets if socket.inode)


def _ip(row: str, name: str, kind: int, protocol: int) -> Socket:
    _, local, remote, state, queues, *_rest = row.split()
    sent, received = (int(size, 16) for size in queues.split(":"))
    sent, received = sent - (int(state, 16) in SENT_FIN), received - (int(state, 16) in GOT_FIN)
    number = int(local.split(":")[1], 16)
    return Socket(
        name, int(row.split()[9]), kind, number if kind == 3 else protocol, int(state, 16),
        endpoint(local), endpoint(remote), max(received, 0), max(sent, 0), int(state, 16) == LISTEN,
    )  # fmt: skip


def endpoint(text: str) -> str | None:
    """An address of /proc/net/tcp: 32-bit words, each in the order of the machine, and the port."""
    words, _, port = text.partition(":")
    packed = b"".join(struct.pack("=I", int(words[at : at + 8], 16)) for at in range(0, len(words), 8))
    address = IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)
    if address.is_unspecified and not int(port, 16):
        return None
    return f"{address if len(packed) == 4 else f'[{address}]'}:{int(port, 16)}"


def _unix(row: str) -> Socket:
    fields = row.split(None, 7)
    listening = bool(int(fields[3], 16) & ACCEPTS)
    state = LISTEN if listening else UNIX_STATES.get(int(fields[5], 16), int(fields[5], 16))
    path = fields[7] if len(fields) > 7 else None
    return Socket("unix", int(fields[6]), int(fields[4], 16), 0, state, path, None, 0, 0, listening)


def _netlink(row: str) -> Socket:
    fields = row.split()
    received, sent = int(fields[4]), int(fields[5])
    return Socket("netlink", int(fields[9]), 3, int(fields[1]), 0, f"port {fields[2]}", None, received, sent)


def _packet(row: str) -> Socket:
    fields = row.split()
    local = f"interface {fields[4]}" if int(fields[4]) else None
    return Socket("packet", int(fields[8]), int(fields[2]), int(fields[3], 16), 0, local, None, 0, 0)
