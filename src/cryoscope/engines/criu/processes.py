"""What /proc of a host says of its processes (proc(5)); all numbers are as the host counts.

A process may end at any moment: what cannot be read any more is as good as not there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from cryoscope import limits
from cryoscope.engines.host import Host
from cryoscope.text import escape, readable

KERNEL_THREAD = 0x00200000
"""PF_KTHREAD of the flags in stat (include/linux/sched.h)."""
SPACES = ("mnt", "pid", "net", "ipc", "uts", "user", "cgroup")
SYS_RESOURCE = 24
"""Number of the capability (linux/capability.h)."""


class Task(NamedTuple):
    """A process: `state` is one letter as in ps, `started` clock ticks since the machine started."""

    pid: int
    comm: str
    state: str
    ppid: int
    session: int
    terminal: int
    flags: int
    started: int

    @property
    def is_kernels(self) -> bool:
        return bool(self.flags & KERNEL_THREAD)


class Open(NamedTuple):
    """A descriptor: what it shows as in /proc/PID/fd, its flags (octal O_*), its file's mode and size."""

    pid: int
    number: int
    shows: str
    flags: int
    mode: int
    size: int
    device: int

    @property
    def is_written(self) -> bool:
        return bool(self.flags & (os.O_WRONLY | os.O_RDWR))

    @property
    def is_plain(self) -> bool:
        """A file with a name that still leads to it."""
        return (
            stat.S_ISREG(self.mode) and self.shows.startswith("/") and not self.shows.endswith(" (deleted)")
        )


class Processes:
    """The processes of a host, as they are at each question."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def _read(self, name: str, size: int = 1 << 16) -> str:
        try:
            with open(self._host.path("/proc/" + name), "rb") as file:
                return readable(file.read(size))
        except OSError:
            return ""

    def _link(self, name: str) -> str:
        try:
            return os.readlink(self._host.path("/proc/" + name))
        except OSError:
            return ""

    def _names(self, name: str) -> list[str]:
        try:
            return os.listdir(self._host.path("/proc/" + name))
        except OSError:
            return []

    def task(self, pid: int) -> Task | None:
        """A process, or None."""
        head, mark, rest = self._read(f"{pid}/stat").rpartition(")")
        fields = rest.split()
        if not mark or len(fields) < 20:
            return None
        comm = escape(head.partition("(")[2])
        ppid, session, terminal, flags, started = (int(fields[at]) for at in (1, 3, 4, 6, 19))
        return Task(pid, comm, fields[0], ppid, session, terminal, flags, started)

    def all(self) -> dict[int, Task]:
        """Every process by its number."""
        numbers = sorted(int(name) for name in self._names("") if name.isdigit())[: limits.PROCESSES]
        return {pid: task for pid in numbers if (task := self.task(pid))}

    def tree(self, pid: int) -> list[Task]:
        """A process and all below it, parents first."""
        tasks = self.all()
        below: dict[int, list[int]] = {}
        for task in tasks.values():
            below.setdefault(task.ppid, []).append(task.pid)
        found, waiting = [], [pid]
        while waiting:
            now = waiting.pop(0)
            if now in tasks:
                found.append(tasks[now])
                waiting += below.get(now, [])
        return found

    def own(self) -> set[int]:
        """This process and its ancestors, as far as the host has them."""
        tasks, found = self.all(), set()
        link = self._link("self")
        pid = int(link) if link.isdigit() else 0
        while pid in tasks and pid not in found:
            found.add(pid)
            pid = tasks[pid].ppid
        return found

    def arguments(self, pid: int) -> list[str]:
        """The command line."""
        return [escape(part) for part in self._read(f"{pid}/cmdline").split("\0")[:-1]]

    def executable(self, pid: int) -> str:
        return escape(readable(self._link(f"{pid}/exe")))

    def spaces(self, pid: int) -> dict[str, str]:
        """The namespaces of a process (`mnt:[4026531841]`), by kind, as far as they may be read."""
        return {kind: found for kind in SPACES if (found := self._link(f"{pid}/ns/{kind}"))}

    def status(self, pid: int, field: str) -> list[str]:
        """The words of a line of status, such as `Uid`."""
        lines = self._read(f"{pid}/status").splitlines()
        return next((line.split()[1:] for line in lines if line.startswith(field + ":")), [])

    @staticmethod
    def has_resource() -> bool:
        """Whether this process, and so a criu that it starts, has CAP_SYS_RESOURCE."""
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            line = next((line for line in file if line.startswith("CapEff:")), "CapEff: 0")
        return bool(int(line.split()[1], 16) >> SYS_RESOURCE & 1)

    def descriptors(self, pid: int) -> Iterator[Open]:
        """The open descriptors of a process."""
        for name in self._names(f"{pid}/fd")[: limits.HOST_DESCRIPTORS]:
            path = f"{pid}/fd/{name}"
            try:
                found = os.stat(self._host.path("/proc/" + path))
            except OSError:
                continue
            flags = self._flags(f"{pid}/fdinfo/{name}")
            shows = self._link(path)
            yield Open(pid, int(name), shows, flags, found.st_mode, found.st_size, found.st_dev)

    def _flags(self, name: str) -> int:
        for line in self._read(name, 4096).splitlines():
            if line.startswith("flags:"):
                return int(line.split()[1], 8)
        return 0

    def shared_files(self, pid: int) -> Iterator[tuple[str, int]]:
        """Files that a process has mapped for writing to them (proc(5), maps), with their sizes."""
        for line in self._read(f"{pid}/maps", limits.HOST_SOCKETS).splitlines():
            fields = line.split(maxsplit=5)
            if len(fields) > 5 and fields[1][1::2] == "ws" and fields[5].startswith("/"):
                with suppress(OSError):
                    found = os.lstat(self._host.path(fields[5]))
                    if stat.S_ISREG(found.st_mode):
                        yield fields[5], found.st_size

    def connections(self, pid: int) -> set[str]:
        """The inodes of established TCP connections in the network namespace of a process."""
        lines = self._read(f"{pid}/net/tcp", limits.HOST_SOCKETS).splitlines()[1:]
        lines += self._read(f"{pid}/net/tcp6", limits.HOST_SOCKETS).splitlines()[1:]
        rows = (line.split() for line in lines)
        return {row[9] for row in rows if len(row) > 9 and row[3] == "01"}

    def lockers(self) -> set[int]:
        """The processes that hold file locks (proc(5), locks)."""
        rows = (line.split() for line in self._read("locks", limits.HOST_SOCKETS).splitlines())
        return {int(row[4]) for row in rows if len(row) > 4 and row[1] != "->" and row[4].isdigit()}

    def mountinfo(self, pid: int | str = 1) -> list[str]:
        """The lines of mountinfo of a process."""
        return self._read(f"{pid}/mountinfo", limits.HOST_SOCKETS).splitlines()

    def kernel(self) -> str:
        """The kernel's release."""
        return escape(self._read("sys/kernel/osrelease").strip())
