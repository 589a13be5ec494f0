"""What processes have open that CRIU refuses unless it is told otherwise, or at all.

Locks and watches from /proc/NUMBER/fdinfo/N (proc_pid_fdinfo(5)), which CRIU reads
itself (criu/proc_parse.c).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cryoscope.engines.host import Host
from cryoscope.engines.live import LiveFile, LiveProcess, content, files, processes
from cryoscope.engines.live_sockets import LiveSocket, sockets
from cryoscope.engines.port import Record

WATCHES = (b"inotify wd:", b"fanotify ino:")
KINDS = {"ofdlck": "ofd"}
"""Words for kinds of locks that differ from ours (kernel fs/locks.c, lock_get_status)."""
MINOR_BITS = 20
"""Of a device's number as fdinfo has it (linux/kdev_t.h)."""


class FileLock(Record, frozen=True, kw_only=True):
    """A lock that a process holds through a descriptor: `kind` is posix, flock, ofd or lease."""

    pid: int
    fd: int
    path: str
    kind: str
    mode: str


class Watch(Record, frozen=True, kw_only=True):
    """A watch of an inotify or fanotify descriptor in a file system that CRIU finds no file handles in."""

    pid: int
    fd: int
    kind: str


class Opened:
    """The processes of a container and what they have open, read once."""

    def __init__(self, host: Host, pid: int) -> None:
        self.processes = processes(host, pid)
        self.files: dict[int, list[LiveFile]] = {
            process.pid: files(process.number) for process in self.processes
        }

    def each(self) -> Iterator[tuple[LiveProcess, LiveFile]]:
        """Every descriptor with its process."""
        for process in self.processes:
            for file in self.files[process.pid]:
                yield process, file

    @property
    def sockets(self) -> list[LiveSocket]:
        """The sockets that they hold."""
        return sockets(self.processes, self.files)


def tcp_connections(host: Host, pid: int) -> list[LiveSocket]:
    """Open TCP connections of the container; raises `NoSuchContainer`."""
    return [socket for socket in Opened(host, pid).sockets if socket.open_tcp]


def file_locks(host: Host, pid: int) -> list[FileLock]:
    """File locks that its processes hold; raises `NoSuchContainer`."""
    return locks_of(Opened(host, pid))


def watches_on_overlay(host: Host, pid: int) -> list[Watch]:
    """Its inotify and fanotify watches of files on an overlay; raises `NoSuchContainer`."""
    return overlay_watches_of(Opened(host, pid))


def locks_of(opened: Opened) -> list[FileLock]:
    """File locks of what was read."""
    found: dict[tuple[str, bytes], FileLock] = {}
    for process, file in opened.each():
        if file.target.startswith(("socket:", "pipe:", "anon_inode:")):
            continue
        for line in content(process.number, f"fdinfo/{file.fd}").splitlines():
            fields = line.removeprefix(b"lock:").split() if line.startswith(b"lock:") else []
            if len(fields) >= 4:
                kind, mode = fields[1].decode(errors="replace").lower(), fields[3].decode(errors="replace")
                key = (kind, bytes(fields[5]) if len(fields) > 5 else b"")
                lock = FileLock(
                    pid=process.pid,
                    fd=file.fd,
                    path=file.target,
                    kind=KINDS.get(kind, kind),
                    mode=mode.lower(),
                )
                found.setdefault(key, lock)
    return [*found.values()]


def overlay_watches_of(opened: Opened) -> list[Watch]:
    """Watches on overlay of what was read."""
    found = []
    for process, file in opened.each():
        if "notify" not in file.target:
            continue
        overlays = set(_overlays(process.number))
        lines = content(process.number, f"fdinfo/{file.fd}").splitlines()
        if any(device in overlays for device in _watched(lines)):
            kind = "fanotify" if "fanotify" in file.target else "inotify"
            found.append(Watch(pid=process.pid, fd=file.fd, kind=kind))
    return found


def _watched(lines: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    """Devices (major, minor) that the watches of a descriptor are on."""
    for line in lines:
        if line.startswith(WATCHES):
            digits = next((part[5:] for part in line.split() if part.startswith(b"sdev:")), b"")
            try:
                number = int(digits, 16)
            except ValueError:
                continue
            yield number >> MINOR_BITS, number & ((1 << MINOR_BITS) - 1)


def _overlays(number: int) -> Iterator[tuple[int, int]]:
    """Devices of the overlays in a process's mount namespace."""
    for line in content(number, "mountinfo").splitlines():
        before, _, after = line.partition(b" - ")
        fields = before.split()
        if after.startswith(b"overlay ") and len(fields) > 2:
            major, _, minor = fields[2].partition(b":")
            if major.isdigit() and minor.isdigit():
                yield int(major), int(minor)
