"""A descriptor of a checkpoint as facts, under the keys of `facts_open`."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import Any

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.criu.names import OPEN_FLAGS
from cryoscope.checkpoint.process import Descriptor, Socket
from cryoscope.checkpoint.process.signals import CLOCKS

Fact = tuple[tuple[str, ...], Any]

ACCESS = {"r": 0, "w": 1, "rw": 2}
FLAGS = {name: bit for bit, name in OPEN_FLAGS.items()}
EPOLL = {"events": "events", "data": "data", "pos": "pos", "ino": "inode", "sdev": "dev"}
INOTIFY = {"ino": "i_ino", "mask": "mask", "ignored_mask": "ignored_mask", "sdev": "s_dev"}
"""Columns of fdinfo, and the fields of images/{eventpoll,fsnotify}.proto."""
LOCKS = {"ofd": "ofdlck"}
PTMX = 5 << 8 | 2
TYPES = "?pc?d?b?-?l?s???"
"""The first letter of a mode as text, at the number of its type (S_IFMT >> 12)."""


def facts_of_descriptor(fd: Descriptor, checkpoint: Checkpoint) -> Iterator[Fact]:
    """Everything that is said of it and /proc can say."""
    yield ("type",), fd.type
    if fd.socket is not None and fd.socket.family == "packet":
        yield from _of_packets(fd.socket)
    else:
        yield ("target",), fd.target
    yield ("flags",), _flags(fd)
    yield ("cloexec",), fd.cloexec
    locks = ((LOCKS.get(lock.kind, lock.kind), lock.mode, lock.start, lock.length) for lock in fd.locks)
    yield ("locks",), frozenset(locks)
    said = {
        "position": fd.offset,
        "mount": fd.mount_id,
        "inode": fd.inode,
        "mode": _mode(fd.mode),
        "size": fd.size,
        "queued": _queued(fd, checkpoint),
        "device": {mount.id: mount.device for mount in checkpoint.mounts}.get(fd.mount_id or -1),
        "eventfd-count": fd.counter if fd.type == "eventfd" else None,
        "ticks": fd.counter if fd.type == "timerfd" else None,
        "clockid": CLOCKS.index(fd.clock) if fd.clock in CLOCKS else None,
        "it_value": fd.remaining_us,
        "it_interval": fd.interval_us,
        "NSpid": fd.pid,
    }
    yield from (((fd.type, name), value) for name, value in said.items() if value is not None)
    yield from _of_entry(fd, checkpoint)


def _of_packets(socket: Socket) -> Iterator[Fact]:
    yield ("packet", "type"), {"dgram": 2, "raw": 3}[socket.type]
    yield ("packet", "protocol"), int((socket.protocol or "0").removeprefix("ethertype "), 16)
    yield ("packet", "local"), socket.local


def _queued(fd: Descriptor, checkpoint: Checkpoint) -> int | None:
    """What FIONREAD says: of datagrams the first one."""
    if fd.socket is None:
        return fd.queued
    if fd.socket.type == "dgram":
        return len(next(iter(checkpoint.queues.packets(fd.file_id)), b""))
    silent = fd.socket.state == "LISTEN" or fd.socket.family == "netlink"  # they know no FIONREAD
    return None if silent else fd.socket.recv_queue


def _flags(fd: Descriptor) -> int:
    bits = (FLAGS[name] if name in FLAGS else int(name, 16) for name in fd.flags)
    return ACCESS.get(fd.access, 0) | sum(bits)


def _mode(text: str | None) -> int | None:
    """A mode as `ls -l` shows it, as a number."""
    if text is None:
        return None
    bits = (1 << 8 - at if letter not in "-ST" else 0 for at, letter in enumerate(text[1:]))
    special = {3: (stat.S_ISUID, "sS"), 6: (stat.S_ISGID, "sS"), 9: (stat.S_ISVTX, "tT")}
    more = sum(bit for at, (bit, letters) in special.items() if text[at] in letters)
    return TYPES.index(text[0]) << 12 | sum(bits) | more


def _of_entry(fd: Descriptor, checkpoint: Checkpoint) -> Iterator[Fact]:
    """What only the entry in files.img has."""
    file = checkpoint.files[fd.file_id]
    if file is None:
        return
    entry = file.entry
    if fd.type in ("pipe", "fifo"):
        sizes = {found.pipe_id: found.size for found in _pipes(checkpoint) if found.size}
        if entry.pipe_id in sizes:
            yield (fd.type, "pipe-size"), sizes[entry.pipe_id]
    elif fd.type == "epoll":
        for watch in entry.tfd:
            for name, field in EPOLL.items():
                yield ("watch", str(watch.tfd), name), getattr(watch, field)
    elif fd.type == "inotify":
        for watch in entry.wd:
            yield from _of_watch(watch)
    elif fd.type == "signalfd":
        yield ("signalfd", "sigmask"), entry.sigmask
    elif fd.type == "timerfd":
        yield ("timerfd", "settime flags"), entry.settime_flags
    elif fd.type == "tty":
        yield from _of_terminal(entry.tty_info_id, checkpoint)


def _of_watch(watch: Any) -> Iterator[Fact]:
    handle = watch.f_handle
    words = b"".join(word.to_bytes(8, "little") for word in handle.handle)
    said = {name: getattr(watch, field) for name, field in INOTIFY.items()} | {
        "fhandle-bytes": handle.bytes,
        "fhandle-type": handle.type,
        "f_handle": words[: handle.bytes].hex(),
    }
    yield from ((("watch", str(watch.wd), name), value) for name, value in said.items())


def _of_terminal(number: int, checkpoint: Checkpoint) -> Iterator[Fact]:
    """The device number is the kernel's 16-bit one; a master shows the number of its slave."""
    for info in checkpoint.images.messages("tty-info.img"):
        if info.id == number:
            yield ("tty", "rdev"), f"{info.rdev >> 8}:{info.rdev & 0xFF}"
            if info.HasField("pty") and info.rdev == PTMX:
                yield ("tty", "tty-index"), info.pty.index


def _pipes(checkpoint: Checkpoint) -> Iterator[Any]:
    for image in ("pipes-data.img", "fifo-data.img"):
        yield from checkpoint.images.messages(image)
