"""What differs between a checkpoint and the container as it runs: one function an aspect in `ASPECTS`.

Processes are the same where their pid is, unless everything else of them is another's: pids are given out
again, but not to the first process.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.process import Descriptor, Process
from cryoscope.checkpoint.process.sockets import Socket
from cryoscope.checkpoint.rootfs import FileEntry
from cryoscope.engines.live import LiveFile, LiveProcess
from cryoscope.engines.live_sockets import OPEN, LiveSocket

NEW, GONE, CHANGED = "new", "gone", "changed"
FIELDS = ("comm", "exe", "cmdline", "state", "ppid")
WHO = ("comm", "exe", "cmdline")
NO_PATHS = ("/memfd:", "/dev/zero", "/SYSV", "/anon_hugepage")
"""What begins with a slash and is no path."""


class LiveDifference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is not as in the checkpoint.

    `aspect` is one of `ASPECTS`, `change` new, gone or changed, `subject` a command, path or address, `field`
    what of it changed, `then` and `now` both values.  `pid` is the container's own.
    """

    aspect: str
    change: str
    subject: str
    pid: int | None = None
    comm: str | None = None
    field: str | None = None
    then: str | list[str] | None = None
    now: str | list[str] | None = None


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """A container as it is now; `opened` has the descriptors of each process by its pid."""

    processes: list[LiveProcess]
    opened: dict[int, list[LiveFile]]
    sockets: list[LiveSocket]


# --- processes ------------------------------------------------------------------------------------
def of_processes(checkpoint: Checkpoint, live: Live) -> Iterator[LiveDifference]:
    """Processes that are new or gone, and what changed of the others."""
    then = {process.pid: process for process in checkpoint.processes}
    now = {process.pid: process for process in live.processes}
    for pid in sorted(then.keys() | now.keys()):
        before, after = then.get(pid), now.get(pid)
        if before is not None and after is not None and _same(before, after):
            yield from _changes(before, after)
            continue
        if before is not None:
            yield _process(GONE, before)
        if after is not None:
            yield _process(NEW, after)


def _same(before: Process, after: LiveProcess) -> bool:
    return before.pid == 1 or any(getattr(before, name) == getattr(after, name) for name in WHO)


def _process(change: str, process: Process | LiveProcess) -> LiveDifference:
    command = list(process.cmdline) if process.cmdline else [f"[{process.comm}]"]
    side = {"then" if change == GONE else "now": command}
    return LiveDifference(
        aspect="processes",
        change=change,
        subject=process.exe or process.comm,
        pid=process.pid,
        comm=process.comm,
        **side,  # type: ignore[arg-type]
    )


def _changes(before: Process, after: LiveProcess) -> Iterator[LiveDifference]:
    """What of a process changed; what one side could not read is no change."""
    for name in FIELDS:
        then, now = getattr(before, name), getattr(after, name)
        if then == now or then is None or now is None:
            continue
        yield LiveDifference(
            aspect="processes",
            change=CHANGED,
            subject=after.exe or after.comm,
            pid=after.pid,
            comm=after.comm,
            field=name,
            then=then if isinstance(then, list) else str(then),
            now=now if isinstance(now, list) else str(now),
        )


# --- open files -----------------------------------------------------------------------------------
def of_open_files(checkpoint: Checkpoint, live: Live) -> Iterator[LiveDifference]:
    """Paths that a process of both sides has open now and had not, or the other way."""
    then = {process.pid: process for process in checkpoint.processes}
    for after in live.processes:
        before = then.get(after.pid)
        if before is None or not _same(before, after):
            continue
        had = Counter(filter(None, map(_path_then, checkpoint.descriptors(after.pid))))
        has = Counter(filter(None, map(_path_now, live.opened.get(after.pid, ()))))
        for change, paths in ((GONE, had - has), (NEW, has - had)):
            for path in sorted(paths):
                yield LiveDifference(
                    aspect="files", change=change, subject=path, pid=after.pid, comm=after.comm
                )


def _path_then(descriptor: Descriptor) -> str | None:
    return _shown(descriptor.path, descriptor.deleted) if descriptor.path else None


def _path_now(file: LiveFile) -> str | None:
    return _shown(file.target, file.deleted)


def _shown(path: str, deleted: bool) -> str | None:
    if not path.startswith("/") or path.startswith(NO_PATHS):
        return None
    return path + (" (deleted)" if deleted else "")


# --- sockets --------------------------------------------------------------------------------------
class Told(NamedTuple):
    """What makes a socket one and the same on both sides."""

    protocol: str
    state: str
    local: str
    remote: str

    def __str__(self) -> str:
        arrow = f" -> {self.remote}" if self.remote else ""
        return f"{self.protocol} {self.local}{arrow} {self.state}"


def of_sockets(checkpoint: Checkpoint, live: Live) -> Iterator[LiveDifference]:
    """Sockets that listen or are connected, by their addresses."""
    then: dict[Told, int | None] = {}
    for held in checkpoint.sockets:
        told = _told(held.socket.protocol or held.socket.family, held.socket)
        if told is not None and held.holders:
            then.setdefault(told, held.holders[0].pid)
    now: dict[Told, int | None] = {}
    for socket in live.sockets:
        told = _told(socket.protocol, socket)
        if told is not None:
            now.setdefault(told, socket.pids[0] if socket.pids else None)
    comms = {process.pid: process.comm for process in checkpoint.processes}
    comms |= {process.pid: process.comm for process in live.processes}
    for change, found in ((GONE, _without(then, now)), (NEW, _without(now, then))):
        for told, pid in found:
            comm = comms.get(pid) if pid is not None else None
            yield LiveDifference(aspect="sockets", change=change, subject=str(told), pid=pid, comm=comm)


def _without(one: dict[Told, int | None], other: dict[Told, int | None]) -> list[tuple[Told, int | None]]:
    return sorted((item for item in one.items() if item[0] not in other), key=lambda item: item[0])


def _told(protocol: str, socket: Socket | LiveSocket) -> Told | None:
    """None for a socket that cannot be told from others: without a name, or without an address."""
    if protocol not in ("tcp", "udp", "unix") or socket.local is None:
        return None
    state = socket.state or ""
    if protocol == "tcp" and state != "LISTEN" and state not in OPEN:
        return None
    remote = (socket.remote or "") if protocol != "unix" else ""
    return Told(protocol, state, socket.local, remote)


# --- changed files --------------------------------------------------------------------------------
def of_changed_files(checkpoint: Checkpoint, live: Live) -> Iterator[LiveDifference]:
    """Files that the checkpoint has, as they are now: gone, or of another size, type or time.

    What was written since to other files only the container's engine could tell.
    """
    first = min(live.processes, key=lambda process: process.pid, default=None)
    entries = [e for e in checkpoint.filesystem.entries if e.origin == "rootfs" and not e.by_engine]
    if first is None or not entries:
        return
    try:
        root = os.open(f"/proc/{first.number}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        for entry in entries:
            yield from _file(entry, _status(root, entry.raw_path))
    finally:
        os.close(root)


def _file(entry: FileEntry, now: os.stat_result | None) -> Iterator[LiveDifference]:
    if entry.change == "deleted":
        if now is not None:
            yield LiveDifference(aspect="rootfs", change=NEW, subject=entry.path)
        return
    if entry.change == "held" or entry.type == "directory":
        return
    if now is None:
        yield LiveDifference(aspect="rootfs", change=GONE, subject=entry.path)
        return
    if entry.type == "file" and entry.size is not None and entry.size != now.st_size:
        yield _changed(entry, "size", str(entry.size), str(now.st_size))
    elif entry.type == "file" and entry.mtime_ns is not None and _later(entry.mtime_ns, now.st_mtime_ns):
        yield _changed(entry, "mtime", str(entry.mtime_ns), str(now.st_mtime_ns))


def _later(then: int, now: int) -> bool:
    """Whether a file was written since: tars have whole seconds, rounded or cut."""
    return now - then >= 1_000_000_000


def _changed(entry: FileEntry, field: str, then: str, now: str) -> LiveDifference:
    return LiveDifference(
        aspect="rootfs", change=CHANGED, subject=entry.path, field=field, then=then, now=now
    )


def _status(root: int, path: bytes) -> os.stat_result | None:
    """What is at a path below an open root, no link of which is followed; None if nothing is.

    The path is a stranger's, and so are the links in the container: only names below an open folder are used.
    """
    parts = [part for part in path.split(b"/") if part]
    if not parts or any(part in (b".", b"..") or b"\0" in part for part in parts):
        return None
    at = os.dup(root)
    try:
        for part in parts[:-1]:
            below = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            os.close(at)
            at = below
        return _no_device(os.stat(parts[-1], dir_fd=at, follow_symlinks=False))
    except OSError:
        return None
    finally:
        os.close(at)


def _no_device(found: os.stat_result) -> os.stat_result | None:
    """A white-out of overlayfs (a device 0:0) is nothing."""
    return None if stat.S_ISCHR(found.st_mode) and found.st_rdev == 0 else found


ASPECTS: dict[str, Callable[[Checkpoint, Live], Iterable[LiveDifference]]] = {
    "processes": of_processes,
    "files": of_open_files,
    "sockets": of_sockets,
    "rootfs": of_changed_files,
}
"""What is compared, by the name that `--only` takes."""
