"""Run commands and measure them: wall seconds, CPU seconds (user + system), peak resident bytes.

The figures are the kernel's (wait4), children that the command waited for included. A peak below
the runner's own is hidden: `execve` counts the memory of the image it replaces, hence the runner
stays small (no numpy here) and `floor()` is reported.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

WARM_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Command:
    """One program to run; `root` is the root directory it runs in (None: the host's)."""

    argv: tuple[str, ...]
    root: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    accepted: frozenset[int] = frozenset({0})


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: seconds and bytes."""

    wall: float
    cpu: float
    rss: int


@dataclass(slots=True)
class Result:
    """All runs of one command; `failure` is the last line it said on standard error."""

    samples: list[Sample] = field(default_factory=list)
    failure: str | None = None
    output: bytes = b""

    def median(self, what: Callable[[Sample], float]) -> float:
        """The median of a figure over all runs."""
        return statistics.median(map(what, self.samples))

    @property
    def wall(self) -> float:
        return self.median(lambda s: s.wall)

    @property
    def cpu(self) -> float:
        return self.median(lambda s: s.cpu)

    @property
    def rss(self) -> int:
        return max(s.rss for s in self.samples)


def run_once(command: Command, *, keep: bool = False) -> tuple[Sample, int, bytes, str]:
    """Run to the end: (figures, exit code, standard output if kept, last line of standard error)."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        sink = out.fileno() if keep else os.open(os.devnull, os.O_WRONLY)
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        environment |= command.environment
        started = time.monotonic()
        pid = os.fork()
        if not pid:
            _become(command, sink, err.fileno(), environment)
        _, status, usage = os.wait4(pid, 0)
        wall = time.monotonic() - started
        if not keep:
            os.close(sink)
        out.seek(0)
        err.seek(0)
        lines = err.read().decode(errors="replace").strip().splitlines()
        sample = Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
        return sample, os.waitstatus_to_exitcode(status), out.read(), lines[-1] if lines else ""


def _become(command: Command, out: int, err: int, environment: dict[str, str]) -> None:
    """In the child: take the output descriptors, enter the root directory, become the program."""
    try:
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (out, 1), (err, 2)):
            os.dup2(source, target)
        if command.root:
            os.chroot(command.root)
            os.chdir("/")
        os.execvpe(command.argv[0], command.argv, environment)
    except OSError as error:
        os.write(2, str(error).encode())
    finally:
        os._exit(127)


def interleave(commands: Sequence[Command | None], runs: int) -> list[Result]:
    """Run A B A B ... after one unmeasured run of each whose output is kept; a failing command drops out."""
    results = [Result() for _ in commands]
    for turn in range(runs + 1):
        for command, result in zip(commands, results, strict=True):
            if command is None or result.failure is not None:
                continue
            sample, code, output, said = run_once(command, keep=turn == 0)
            if code not in command.accepted:
                result.failure = said or f"exit code {code}"
            elif turn:
                result.samples.append(sample)
            else:
                result.output = output
    return results


def floor() -> int:
    """The smallest peak that can be measured here, in bytes."""
    return run_once(Command(("true",)))[0].rss


def warm(*paths: Path) -> None:
    """Read files once, so that every command finds them in the page cache."""
    buffer = bytearray(WARM_BYTES)
    for path in paths:
        with open(path, "rb", buffering=0) as handle:
            while handle.readinto(buffer):
                pass


def private_mounts(argv: Sequence[str]) -> None:
    """Start this program again in a mount namespace of its own (root only), once."""
    if os.geteuid() or os.environ.get("CRYOSCOPE_BENCH_NS") or not shutil.which("unshare"):
        return
    os.environ["CRYOSCOPE_BENCH_NS"] = "1"
    os.execvp("unshare", ["unshare", "-m", "--propagation", "private", *argv])
