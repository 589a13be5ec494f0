"""Sockets and who holds them: one record a socket, however many descriptors lead to it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from cryoscope.checkpoint.process.descriptors import Descriptor
from cryoscope.checkpoint.process.files import File, FileTable
from cryoscope.checkpoint.process.queues import Queues
from cryoscope.checkpoint.process.sockets import FAMILIES, Socket, socket_of
from cryoscope.checkpoint.process.task import Process


class Holder(msgspec.Struct, frozen=True):
    """A descriptor of a process that leads to the socket."""

    pid: int
    comm: str
    fd: int


class HeldSocket(msgspec.Struct, frozen=True, omit_defaults=True):
    """A socket and its holders; none if it was only on its way through another socket."""

    socket: Socket
    holders: list[Holder] = []


def held_sockets(
    held: Iterable[tuple[Process, list[Descriptor]]], files: FileTable, queues: Queues
) -> list[HeldSocket]:
    """Every socket in the order of its id, unix peers named by what they are bound to."""
    holders: dict[int, list[Holder]] = {}
    for process, descriptors in held:
        for descriptor in descriptors:
            if descriptor.socket is not None:
                holder = Holder(process.pid, process.comm, descriptor.fd)
                holders.setdefault(descriptor.file_id, []).append(holder)
    found = {file.id: socket_of(file, queues) for file in files if file.type in FAMILIES}
    names = {socket.inode: socket.local for socket in found.values() if socket.family == "unix"}
    return [
        HeldSocket(_with_peer(socket, names), holders.get(number, []))
        for number, socket in sorted(found.items())
    ]


def _with_peer(socket: Socket, names: dict[int, str | None]) -> Socket:
    name = names.get(socket.peer) if socket.peer else None
    return msgspec.structs.replace(socket, remote=name) if name else socket


def queued_data(file: File, socket: Socket, queues: Queues) -> tuple[bytes, bytes]:
    """Bytes received but unread, and sent but not acknowledged."""
    if socket.protocol == "tcp":
        return queues.tcp(socket.inode)
    return b"".join(queues.packets(file.id)), b""
