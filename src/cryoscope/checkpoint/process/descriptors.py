"""File descriptors of a task: the kind of each, what it leads to, and its state.

`KINDS` has one function a kind of CRIU's enum `fd_types`; each turns the entry of that kind into
the fields of a `Descriptor`.  Which descriptors a task has is in fdinfo-<files_id>.img
(images/fdinfo.proto).
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from functools import cached_property
from typing import Any

import msgspec

from cryoscope.checkpoint.criu import names
from cryoscope.checkpoint.criu.imageset import ImageSet
from cryoscope.checkpoint.process.files import File, FileTable
from cryoscope.checkpoint.process.queues import Queues
from cryoscope.checkpoint.process.signals import clock
from cryoscope.checkpoint.process.sockets import Socket, socket_of
from cryoscope.text import readable, with_bytes

ACCESS = ("r", "w", "rw", "r")  # O_RDONLY, O_WRONLY, O_RDWR; 3 opens for ioctl only
FD_CLOEXEC = 1
OF_OPEN_FILES = ("flock", "ofd", "lease")
"""Kinds of locks that belong to an open file; posix ones belong to a process."""


class Lock(msgspec.Struct, frozen=True):
    """A lock held through a descriptor: bytes `start` to `start + length` (0: to the end)."""

    kind: str
    mode: str
    start: int
    length: int


class Watch(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an epoll, inotify or fanotify descriptor waits for."""

    events: str
    fd: int | None = None
    path: str | None = None
    inode: int | None = None


class Descriptor(msgspec.Struct, frozen=True, omit_defaults=True):
    """One file descriptor.

    `target` is what /proc/PID/fd/N links to; `path` only where that is a path in the container.
    `access` is r, w or rw, `flags` the open(2) flags besides it, `offset` and `size` are bytes.
    `queued` is the number of bytes waiting in it (pipe, fifo, tty, socket).
    """

    fd: int
    type: str
    target: str
    file_id: int
    access: str = ""
    flags: list[str] = []
    cloexec: bool = False
    path: str | None = None
    path_base64: str | None = None
    deleted: bool = False
    offset: int | None = None
    size: int | None = None
    mode: str | None = None
    mount_id: int | None = None
    inode: int | None = None
    queued: int | None = None
    counter: int | None = None
    clock: str | None = None
    remaining_us: int | None = None
    interval_us: int | None = None
    signals: list[str] = []
    watches: list[Watch] = []
    pid: int | None = None
    socket: Socket | None = None
    locks: list[Lock] = []


class Describer:
    """Turns `fdinfo` entries into descriptors, with the tables that this takes."""

    def __init__(
        self, images: ImageSet, files: FileTable, queues: Queues, files_id: Callable[[int], int]
    ) -> None:
        self.images = images
        self.files = files
        self.queues = queues
        self._files_id = files_id
        self._locks = _locks(images)

    def of_task(self, pid: int) -> list[Descriptor]:
        """The descriptors of a task, by number; empty for a task without (a zombie)."""
        return [
            self._describe(entry, pid) for entry in sorted(self._entries(pid), key=lambda entry: entry.fd)
        ]

    def _entries(self, pid: int) -> list[Any]:
        return self.images.messages(f"fdinfo-{self._files_id(pid)}.img")

    @cached_property
    def _inherited(self) -> dict[int, list[Lock]]:
        """Locks that belong to the open file, by its id: whoever inherited a descriptor of it holds them.

        CRIU writes each with one of its holders (criu/file-lock.c, note_file_lock).
        """
        found: dict[int, list[Lock]] = {}
        for (pid, fd), locks in self._locks.items():
            shared = [lock for lock in locks if lock.kind in OF_OPEN_FILES]
            for file_id in [entry.id for entry in self._entries(pid) if shared and entry.fd == fd]:
                held = found.setdefault(file_id, [])
                held += [lock for lock in shared if lock not in held]
        return found

    def _describe(self, entry: Any, pid: int) -> Descriptor:
        file = self.files[entry.id]
        own = self._locks.get((pid, entry.fd), [])
        common = {
            "fd": entry.fd,
            "file_id": entry.id,
            "cloexec": bool(entry.flags & FD_CLOEXEC),
            "locks": own + [lock for lock in self._inherited.get(entry.id, []) if lock not in own],
        }
        if file is None:
            return Descriptor(type="unknown", target=f"file {entry.id}, not in files.img", **common)
        fields = KINDS.get(file.type, _unknown)(file, self)
        return Descriptor(**(common | _opened(file) | fields))


def _opened(file: File) -> dict[str, Any]:
    flags = getattr(file.entry, "flags", None)
    if flags is None:
        return {}
    return {"access": ACCESS[flags & 3], "flags": names.flags(flags & ~3, names.OPEN_FLAGS)}


def _locks(images: ImageSet) -> dict[tuple[int, int], list[Lock]]:
    """Locks by (pid, descriptor) (images/file-lock.proto; kinds as in criu/include/file-lock.h)."""
    held: dict[tuple[int, int], list[Lock]] = {}
    for entry in images.messages("filelocks.img"):
        kind = {1: "posix", 2: "flock", 4: "ofd", 8: "lease"}.get(entry.flag, f"{entry.flag:#x}")
        mode = {0: "read", 1: "write", 2: "unlock"}.get(entry.type & 3, str(entry.type))
        held.setdefault((entry.pid, entry.fd), []).append(Lock(kind, mode, entry.start, entry.len))
    return held


def _reg(file: File, _: Describer) -> dict[str, Any]:
    entry = file.entry
    name = readable(entry.name)
    return {
        "type": _file_type(entry.mode) if entry.HasField("mode") else "file",
        "target": name + (" (deleted)" if file.deleted else ""),
        "deleted": file.deleted,
        "offset": entry.pos,
        "size": entry.size if entry.HasField("size") else None,
        "mode": stat.filemode(entry.mode) if entry.HasField("mode") else None,
        "mount_id": entry.mnt_id if entry.HasField("mnt_id") else None,
        **with_bytes("path", bytes(entry.name)),
    }


def _file_type(mode: int) -> str:
    kinds = {stat.S_IFDIR: "directory", stat.S_IFCHR: "chardev", stat.S_IFBLK: "blockdev"}
    return kinds.get(stat.S_IFMT(mode), "file")


def _pipe(file: File, describer: Describer) -> dict[str, Any]:
    number = file.entry.pipe_id
    return {
        "type": "pipe",
        "target": f"pipe:[{number}]",
        "inode": number,
        "queued": len(describer.queues.pipe(number)),
    }


def _fifo(file: File, describer: Describer) -> dict[str, Any]:
    opened = _through(file.entry.regf_id, describer, "fifo")
    queued = len(describer.queues.pipe(file.entry.pipe_id))
    return opened | {"type": "fifo", "inode": file.entry.pipe_id, "queued": queued}


def _through(file_id: int, describer: Describer, otherwise: str) -> dict[str, Any]:
    """The fields of the regular file entry that a fifo or tty was opened through."""
    through = describer.files[file_id]
    if through is None or through.type != "REG":
        return {"target": otherwise}
    return _opened(through) | _reg(through, describer)


def _tty(file: File, describer: Describer) -> dict[str, Any]:
    queued = len(describer.queues.tty(file.entry.tty_info_id))
    return _through(file.entry.regf_id, describer, "tty") | {"type": "tty", "offset": None, "queued": queued}


def _memfd(file: File, describer: Describer) -> dict[str, Any]:
    memfd = describer.files.memfd(file)
    name = readable(memfd.name) if memfd is not None else ""
    size = memfd.size if memfd is not None else None
    return {"type": "memfd", "target": f"/memfd:{name} (deleted)", "offset": file.entry.pos, "size": size}


def _eventfd(file: File, _: Describer) -> dict[str, Any]:
    return {"type": "eventfd", "target": "anon_inode:[eventfd]", "counter": file.entry.counter}


def _signalfd(file: File, _: Describer) -> dict[str, Any]:
    return {
        "type": "signalfd",
        "target": "anon_inode:[signalfd]",
        "signals": names.signals(file.entry.sigmask),
    }


def _timerfd(file: File, _: Describer) -> dict[str, Any]:
    entry = file.entry
    return {
        "type": "timerfd",
        "target": "anon_inode:[timerfd]",
        "clock": clock(entry.clockid),
        "counter": entry.ticks,
        "remaining_us": entry.vsec * 1_000_000 + entry.vnsec // 1000,
        "interval_us": entry.isec * 1_000_000 + entry.insec // 1000,
    }


def _epoll(file: File, _: Describer) -> dict[str, Any]:
    watches = [Watch(hex(w.events), fd=w.tfd, inode=w.inode or None) for w in file.entry.tfd]
    return {"type": "epoll", "target": "anon_inode:[eventpoll]", "watches": watches}


def _inotify(file: File, _: Describer) -> dict[str, Any]:
    watches = [
        Watch(hex(w.mask), path=readable(w.f_handle.path) or None, inode=w.i_ino) for w in file.entry.wd
    ]
    return {"type": "inotify", "target": "anon_inode:inotify", "watches": watches}


def _fanotify(file: File, _: Describer) -> dict[str, Any]:
    watches = [
        Watch(hex(mark.mask), path=readable(mark.me.path) or None, inode=mark.ie.i_ino or None)
        for mark in file.entry.mark
    ]
    return {"type": "fanotify", "target": "anon_inode:[fanotify]", "watches": watches}


def _socket(file: File, describer: Describer) -> dict[str, Any]:
    socket = socket_of(file, describer.queues)
    inode = socket.inode or None
    return {"type": "socket", "target": f"socket:[{inode or '?'}]", "inode": inode, "socket": socket}


def _namespace(file: File, _: Describer) -> dict[str, Any]:
    kind = names.named(file.entry.ns_cflag, names.NAMESPACES)
    return {"type": "namespace", "target": f"{kind}:[{file.entry.ns_id}]", "inode": file.entry.ns_id}


def _tun(file: File, _: Describer) -> dict[str, Any]:
    return {"type": "tun", "target": f"/dev/net/tun ({readable(file.entry.netdev) or 'no device'})"}


def _bpf_map(file: File, _: Describer) -> dict[str, Any]:
    entry = file.entry
    return {
        "type": "bpf-map",
        "target": "anon_inode:bpf-map",
        "inode": entry.map_id,
        "size": entry.max_entries,
    }


def _pidfd(file: File, _: Describer) -> dict[str, Any]:
    return {"type": "pidfd", "target": "anon_inode:[pidfd]", "pid": file.entry.nspid, "inode": file.entry.ino}


def _unknown(file: File, _: Describer) -> dict[str, Any]:
    return {"type": file.type.lower(), "target": f"{file.type.lower()}:[{file.id}]"}


KINDS: dict[str, Callable[[File, Describer], dict[str, Any]]] = {
    "REG": _reg,
    "PIPE": _pipe,
    "FIFO": _fifo,
    "INETSK": _socket,
    "UNIXSK": _socket,
    "PACKETSK": _socket,
    "NETLINKSK": _socket,
    "EVENTFD": _eventfd,
    "EVENTPOLL": _epoll,
    "INOTIFY": _inotify,
    "FANOTIFY": _fanotify,
    "SIGNALFD": _signalfd,
    "TIMERFD": _timerfd,
    "TTY": _tty,
    "MEMFD": _memfd,
    "NS": _namespace,
    "TUNF": _tun,
    "BPFMAP": _bpf_map,
    "PIDFD": _pidfd,
    "EXT": _unknown,
}
"""One function a kind of file: it gives the fields of the descriptor that are its own."""
