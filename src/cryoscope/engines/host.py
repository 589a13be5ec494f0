"""The machine of an engine, as it is seen from here: this one, or the one of another process.

An agent in a pod that shares the node's process ids sees the node through its first process: its files
below /proc/1/root, its programs through nsenter(1).  So does a test of real engines in a node of its own.
Paths that go into an engine's API are those of the engine's machine; paths that this process opens go through
`Host.path`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence

from cryoscope import limits
from cryoscope.errors import CryoscopeError

SPACES = ("--mount", "--pid", "--ipc", "--uts", "--net", "--cgroup", "--root")
"""What nsenter(1) enters of the process that shows the host."""
SCRATCH = "/var/lib/cryoscope"
"""Where files lie on the host while an engine reads or writes them; 0700."""
PREFIX, OLD = "cryoscope-scratch-", 3600
"""Folders in it, and the seconds after which one that nobody holds is rubbish."""
NS_GET_PARENT = 0xB702
"""The request of ioctl_ns(2) for the namespace above."""


class HostError(CryoscopeError):
    default_code = "host"


class Host:
    """A machine with engines.

    `process` is a process on it, as numbered here, through which it is seen; None for this machine.
    """

    def __init__(self, process: int | None = None) -> None:
        if process is not None and not os.path.isdir(f"/proc/{process}/root"):
            raise HostError(
                f"the host cannot be seen through process {process}",
                hint="name a process of the host that exists, and be root",
                code="host.process",
            )
        self.process = process

    @property
    def here(self) -> bool:
        """Whether this process sees the same files."""
        return self.process is None

    @property
    def root(self) -> str:
        """The host's root folder as this process sees it."""
        return "/" if self.process is None else f"/proc/{self.process}/root"

    def path(self, inside: str) -> str:
        """Where a path of the host is for this process; not for paths that a stranger wrote."""
        return inside if self.here else self.root + "/" + inside.lstrip("/")

    def inside(self, path: str) -> str | None:
        """How the host names a file of this process; None if it does not see it."""
        path = os.path.abspath(path)
        if self.here:
            return path
        prefix = self.root + "/"
        return "/" + path.removeprefix(prefix) if path.startswith(prefix) else None

    def argv(self, command: Sequence[str]) -> list[str]:
        """What this process runs so that `command` runs on the host."""
        if self.here:
            return [*command]
        return ["nsenter", f"--target={self.process}", *SPACES, "--", *command]

    def pid(self, inside: int) -> int | None:
        """The number by which this process knows the host's process `inside`; None if it does not see it."""
        if self.here:
            return inside
        at = len(numbers_of(self.process or 1)) - 1
        space = os.stat(f"/proc/{self.process}/ns/pid").st_ino
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            numbers = numbers_of(pid)
            if len(numbers) > at and numbers[at] == inside and _is_within(pid, space):
                return pid
        return None

    @contextlib.contextmanager
    def scratch(self) -> Iterator[str]:
        """A new folder on the host for root alone, by its name there; it is taken away at the end."""
        base = self.path(SCRATCH)
        os.makedirs(base, mode=0o700, exist_ok=True)
        with scratch_in(base) as folder:
            yield folder if self.here else SCRATCH + "/" + os.path.basename(folder)


@contextlib.contextmanager
def scratch_in(base: str) -> Iterator[str]:
    """A new folder in `base`, 0700, taken away at the end; so is what killed runs of this user left there."""
    _sweep_all(base)
    folder = tempfile.mkdtemp(prefix=PREFIX, dir=base)
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _sweep_all(base: str) -> None:
    for name in os.listdir(base):
        if name.startswith(PREFIX):
            with contextlib.suppress(FileNotFoundError, BlockingIOError):  # others sweep and end, too
                _sweep(os.path.join(base, name))


def _sweep(folder: str) -> None:
    about = os.lstat(folder)
    if time.time() - about.st_mtime < OLD or about.st_uid != os.geteuid() or not stat.S_ISDIR(about.st_mode):
        return
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(held)


def below(pid: int) -> Iterator[int]:
    """A process and those below it, parents first, as numbered here."""
    waiting, seen = [pid], 0
    while waiting and seen < limits.SANDBOX_PROCESSES:
        each = waiting.pop()
        seen += 1
        yield each
        waiting += _children(each)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                found += map(int, file.read().split())
    except OSError:
        pass
    return found


def numbers_of(pid: int) -> list[int]:
    """A process's numbers, from this pid namespace to its own (proc(5), NSpid); none if it is gone."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
            line = next((line for line in status if line.startswith("NSpid:")), "")
    except OSError:
        return []
    return [int(number) for number in line.split()[1:]]


def _is_within(pid: int, space: int) -> bool:
    """Whether a process's pid namespace is `space` (an inode) or one below it."""
    try:
        at = os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY)
        while os.fstat(at).st_ino != space:
            above = fcntl.ioctl(at, NS_GET_PARENT)
            os.close(at)
            at = above
    except OSError:
        return False
    os.close(at)
    return True
