"""A node: the lab's root filesystem with namespaces, cgroups and memory of its own.

Whoever starts a node stays outside, where it sees the processes inside in its own /proc, and their files
below `Node.files`.  Commands enter through nsenter(1) and the node's cgroups.  The node lives until it is
stopped or its owner is gone, however that ended: its first process waits for the end of a pipe.
"""

from __future__ import annotations

import itertools
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import build, cgroups, places
from lab.errors import LabError
from lab.lock import Lock

NUMBERS = itertools.count()
START = 30.0
"""Seconds until a node must be ready."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {
    "PATH": PATH,
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TMPDIR": "/tmp",
    "PODMAN_IGNORE_CGROUPSV1_WARNING": "1",
}
JOIN = (
    'for group in $GROUPS_OF_NODE; do echo $$ > "$group/cgroup.procs"; done; unset GROUPS_OF_NODE; exec "$@"'
)

Completed = subprocess.CompletedProcess


class CommandFailed(LabError):
    """A command in the node ended with another exit code than 0."""

    def __init__(self, argv: Iterable[str], code: int, output: str) -> None:
        super().__init__(f"exit {code}: {shlex.join(argv)}\n{output.strip()[-4000:]}")
        self.code = code
        self.output = output


class Node:
    """A running node; use it as a context manager or call `stop`.

    Raises `NoLab` where the lab is not built, `LabError` where it does not start.
    """

    def __init__(self, root: Path | None = None) -> None:
        root = root or build.required()
        cgroups.sweep()
        self.services: list[Service] = []
        self.name = cgroups.name_for(os.getpid(), next(NUMBERS))
        with Lock(places.home(), shared=True) as lock:
            self._keeper = subprocess.Popen(
                ["bash", str(places.HERE / "node.sh"), self.name, str(root)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                pass_fds=(lock.fd,),
            )
        self.pid = self._wait()
        self._depth = len(_numbers(self.pid)) - 1
        self._groups = " ".join(map(str, cgroups.groups_of(self.name)))

    def _wait(self) -> int:
        """The number of the node's first process, once it is ready."""
        assert self._keeper.stdout is not None
        said = []
        for line in self._keeper.stdout:
            if line.startswith("ready"):
                return _first_inside(self._keeper.pid)
            said.append(line)
        self._close()
        raise LabError("the node did not start: " + "".join(said).strip())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def keeper(self) -> int:
        """The process that takes the cgroups away when the node has ended."""
        return self._keeper.pid

    @property
    def files(self) -> Path:
        """The node's root folder as seen from outside; sockets in it can be connected to."""
        return Path(f"/proc/{self.pid}/root")

    def outside(self, path: str) -> Path:
        """Where a path of the node is for whoever is outside."""
        return self.files / path.lstrip("/")

    def pid_outside(self, pid: int) -> int:
        """The number by which the outside knows a process of the node; raises `LabError` if it is gone."""
        for folder in Path("/proc").glob("[0-9]*"):
            numbers = _numbers(int(folder.name))
            if len(numbers) > self._depth and numbers[self._depth] == pid and self._has(folder):
                return int(folder.name)
        raise LabError(f"there is no process {pid} in the node")

    def _has(self, folder: Path) -> bool:
        """Whether a process is in the node's cgroups."""
        try:
            return self.name in (folder / "cgroup").read_text()
        except OSError:
            return False

    def argv(self, argv: Iterable[str]) -> list[str]:
        """The command that runs `argv` in this node when it is run outside."""
        into = "--mount --pid --ipc --uts --net --cgroup --root".split()
        enter = ["nsenter", f"--target={self.pid}", *into]
        return ["sh", "-c", JOIN, "join", *enter, "--", *argv]

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment that `argv` must be run with."""
        return ENVIRONMENT | {"GROUPS_OF_NODE": self._groups} | dict(more or {})

    def run(
        self,
        *argv: str,
        check: bool = True,
        stdin: bytes | None = None,
        timeout: float = 120,
        environment: Mapping[str, str] | None = None,
    ) -> Completed[str]:
        """Run a command in the node and wait; its output and errors come apart, as text.

        Raises `CommandFailed` if `check` and it fails, `subprocess.TimeoutExpired` after `timeout` seconds.
        """
        done = subprocess.run(
            self.argv(argv),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            env=self.environment(environment),
            timeout=timeout,
            check=False,
        )
        out, err = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
        if check and done.returncode:
            raise CommandFailed(argv, done.returncode, out + err)
        return Completed(list(argv), done.returncode, out, err)

    def sh(self, script: str, **options: object) -> str:
        """Run a shell script in the node and return what it printed; see `run`."""
        return self.run("bash", "-euo", "pipefail", "-c", script, **options).stdout  # type: ignore[arg-type]

    def service(
        self, *argv: str, ready: Callable[[], bool], environment: Mapping[str, str] | None = None
    ) -> Service:
        """Start a program that stays, and wait until `ready` says it answers; it ends with the node."""
        name = os.path.basename(argv[0])
        log = self.outside(f"/var/log/lab-{name}-{len(self.services)}.log")
        with open(log, "wb") as output:
            process = subprocess.Popen(
                self.argv(argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment(environment),
            )
        service = Service(name, process, log)
        self.services.append(service)
        service.wait(ready)
        return service

    def stop(self) -> None:
        """End everything inside and take the cgroups away; returns when nothing is left."""
        for group in cgroups.groups_of(self.name):
            cgroups.thaw(group)
        self._close()
        for service in self.services:
            service.process.wait()
        cgroups.end(cgroups.groups_of(self.name))  # a keeper that was killed has left them

    def _close(self) -> None:
        for pipe in (self._keeper.stdin, self._keeper.stdout):
            if pipe is not None:
                pipe.close()
        self._keeper.wait()


class Service:
    """A program that stays in a node, with what it prints in the file `log`."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log

    def wait(self, ready: Callable[[], bool]) -> None:
        """Wait until it answers; raises `LabError` with the end of its log if it ends or takes too long."""
        deadline = time.monotonic() + START
        while not ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"{self.name} did not start:\n{self.tail()}")
            time.sleep(0.05)

    def tail(self, size: int = 4000) -> str:
        """The end of its log."""
        try:
            return self.log.read_text(errors="replace")[-size:]
        except OSError:
            return ""


def _first_inside(keeper: int) -> int:
    """The process of the namespaces that a keeper made: the one whose pid is 1 there."""
    found = next((pid for pid in below(keeper) if _numbers(pid)[-1:] == [1]), None)
    if found is None:
        raise LabError("the node has no first process")
    return found


def below(pid: int) -> Iterator[int]:
    """A process and those below it, parents first."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    yield pid
    for child in children:
        yield from below(int(child))


def _numbers(pid: int) -> list[int]:
    """A process's numbers, from this pid namespace to its own (proc(5), NSpid); none if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return []
    return next((list(map(int, line.split()[1:])) for line in lines if line.startswith("NSpid:")), [])
