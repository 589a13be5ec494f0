"""The processes of a container as they run now, read from /proc.

Which belong to it: all of its pid namespace if its first process is the first one there, and all that
descend from them; else (the host's own pid namespace, a pod's) those that descend from its first process.
`number` is how this process counts, `pid` how the container does: as the images of a checkpoint of it would.

Formats: proc(5), proc_pid_status(5), proc_pid_stat(5), proc_pid_fd(5).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from cryoscope import limits
from cryoscope.engines.host import Host
from cryoscope.engines.port import NoSuchContainer, Record
from cryoscope.text import readable

STATES = {"T": "stopped", "t": "stopped", "Z": "zombie", "X": "zombie"}
"""Letters of the state in `stat`; all others are alive."""
DELETED = " (deleted)"


class LiveProcess(Record, frozen=True, kw_only=True):
    """A process of the container.

    `cmdline` is None for one without (a zombie), `exe` None where it cannot be read; `uid` is its
    effective one as this process sees it.
    """

    number: int
    pid: int
    ppid: int
    comm: str
    state: str
    uid: int
    cmdline: list[str] | None = None
    exe: str | None = None
    exe_deleted: bool = False


class LiveFile(NamedTuple):
    """A descriptor of a live process: what /proc/PID/fd/N links to, without ` (deleted)`."""

    fd: int
    target: str
    deleted: bool = False

    @property
    def socket(self) -> int | None:
        """The inode of the socket that it is."""
        digits = self.target.removeprefix("socket:[").removesuffix("]")
        return int(digits) if digits != self.target and digits.isdigit() else None


class Status(NamedTuple):
    """What `status` says of a process; `numbers` are its pids from this namespace to its own."""

    comm: str
    state: str
    ppid: int
    uid: int
    numbers: list[int]


def seen_here(host: Host, pid: int) -> int:
    """The number by which this process knows process `pid` of a host; raises `NoSuchContainer`."""
    number = host.pid(pid)
    if number is None or not os.path.isdir(f"/proc/{number}"):
        raise NoSuchContainer(
            f"process {pid} does not run (any more)",
            hint="cryoscope targets lists what does",
            code="live.gone",
        )
    return number


def processes(host: Host, pid: int) -> list[LiveProcess]:
    """The processes of the container whose first one the host knows as `pid`, by pid.

    Raises `NoSuchContainer` if it does not run.
    """
    first = seen_here(host, pid)
    told = {number: found for number in _numbers() if (found := status(number)) is not None}
    if first not in told:
        return []
    depth = len(told[first].numbers) - 1
    inside = {number: told[number].numbers[depth] for number in _members(first, told)}
    read = (_process(number, told[number], inside) for number in inside)
    return sorted(read, key=lambda process: process.pid)


def _numbers() -> Iterator[int]:
    return islice((int(name) for name in os.listdir("/proc") if name.isdigit()), limits.PROCESSES)


def _members(first: int, told: dict[int, Status]) -> set[int]:
    """The numbers of the container's processes: see above."""
    found = {first}
    if told[first].numbers[-1] == 1:
        space = link(first, "ns/pid")
        found |= {number for number in told if space and link(number, "ns/pid") == space}
    depth = len(told[first].numbers)
    while more := {n for n, one in told.items() if one.ppid in found and len(one.numbers) >= depth} - found:
        found |= more
    return found


def _process(number: int, told: Status, inside: dict[int, int]) -> LiveProcess:
    exe = link(number, "exe")
    arguments = content(number, "cmdline")
    return LiveProcess(
        number=number,
        pid=inside[number],
        ppid=inside.get(told.ppid, 0),
        comm=told.comm,
        state=STATES.get(told.state, "alive"),
        uid=told.uid,
        cmdline=[readable(part) for part in arguments.removesuffix(b"\0").split(b"\0")]
        if arguments
        else None,
        exe=readable(exe.removesuffix(DELETED)) if exe else None,
        exe_deleted=bool(exe and exe.endswith(DELETED)),
    )


def status(number: int) -> Status | None:
    """What `status` says of a process; None if it is gone."""
    lines = dict(line.split(b":\t", 1) for line in content(number, "status").splitlines() if b":\t" in line)
    try:
        numbers = [int(part) for part in lines[b"NSpid"].split()]
        state, uid = lines[b"State"].decode()[:1], int(lines[b"Uid"].split()[1])
        return Status(_unescaped(lines[b"Name"]), state, int(lines[b"PPid"]), uid, numbers)
    except (KeyError, ValueError, IndexError):
        return None


def _unescaped(name: bytes) -> str:
    """A name as it is: `status` writes a newline and a backslash as `\\n` and `\\\\`."""
    return readable(name.replace(b"\\\\", b"\0").replace(b"\\n", b"\n").replace(b"\0", b"\\"))


def files(number: int) -> list[LiveFile]:
    """The open descriptors of a process, by number; none if it is gone."""
    try:
        names = sorted(map(int, os.listdir(f"/proc/{number}/fd")))[: limits.LIVE_DESCRIPTORS]
    except OSError:
        return []
    found = ((fd, link(number, f"fd/{fd}")) for fd in names)
    return [
        LiveFile(fd, readable(target.removesuffix(DELETED)), target.endswith(DELETED))
        for fd, target in found
        if target is not None
    ]


def content(number: int, name: str) -> bytes:
    """A file of /proc/NUMBER; empty if it is gone or may not be read."""
    try:
        with open(f"/proc/{number}/{name}", "rb") as file:
            return file.read(limits.LIVE_FILE)
    except OSError:
        return b""


def link(number: int, name: str) -> str | None:
    """Where a link of /proc/NUMBER leads; None if it is gone or may not be read."""
    try:
        return os.readlink(f"/proc/{number}/{name}")
    except OSError:
        return None
