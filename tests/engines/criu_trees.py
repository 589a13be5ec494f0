"""Process trees of a node to capture, and what the workflow does around an engine: cleaning, ending."""

from __future__ import annotations

import contextlib
import os
import signal
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.engines.criu import Criu, connect
from cryoscope.engines.host import Host
from cryoscope.engines.port import Captured, CaptureOptions, Reach, Restored, RestoreOptions
from cryoscope.engines.target import parse
from cryoscope.engines.vetting import Policy, clean_copy, merged, vet
from lab.engines.criu import Criu as Bare
from lab.engines.port import Running
from lab.node import Node, below
from lab.workloads import Workload
from sinks import FileSink

ALL = CaptureOptions(tcp="established", file_locks=True)


class Trees:
    """The engine of `pid://` on a node, with programs to run it on; `end` ends all of them."""

    def __init__(self, node: Node, bare: Bare, folder: Path) -> None:
        self.node = node
        self.host = Host(node.pid)
        self.engine: Criu = connect(parse("pid://1"), Reach(host=self.host))
        self._bare = bare
        self._folder = folder
        self._started: list[Running] = []
        self._restored: list[Restored] = []

    def start(self, workload: Workload) -> int:
        """Run a workload; its number in the node."""
        running = self._bare.start(workload)
        self._started.append(running)
        return int(self.node.outside(running.id + "/pid").read_text())

    def python(self, code: str, *wrapped_in: str) -> int:
        """Run a program in Python, which has to print `ready`."""
        script = textwrap.dedent(code)
        return self.start(Workload("python", "workloads", (*wrapped_in, "python3", "-B", "-u", "-c", script)))

    def capture(self, pid: int, options: CaptureOptions = ALL) -> tuple[Path, Captured]:
        """Capture a tree into a new file."""
        path = self._folder / f"{pid}-{time.monotonic_ns()}.tar"
        return path, self.engine.capture(self.engine.find(str(pid)), options, FileSink(path))

    def restore(self, archive: Path, checkpoint: Checkpoint, options: RestoreOptions) -> Restored:
        """Restore the cleaned copy of an archive, as the workflow does."""
        copy = archive.with_name(f"clean-{options.name}-{time.monotonic_ns()}.tar")
        verdict = vet(checkpoint, Policy(engine=self.engine.name, live=options.live))
        with open(copy, "xb") as to:
            clean_copy(checkpoint.archive, merged(verdict.edits, self.engine.edits(checkpoint, options)), to)
        restored = self.engine.restore(str(copy), checkpoint, options)
        self._restored.append(restored)
        return restored

    def run_in(self, pid: int | None, *command: str) -> str:
        """What a command prints inside the namespaces of a process of the node."""
        enter = ("nsenter", f"--target={pid}", "--mount", "--pid", "--net", "--root", "--")
        return self.node.run(*enter, *command).stdout

    def here(self, pid: int | None) -> int:
        """A process of the node as it is numbered here."""
        found = self.host.pid(pid) if pid else None
        assert found is not None, f"process {pid} is not there"
        return found

    def state(self, pid: int) -> str:
        """One letter, as in ps."""
        return Path(f"/proc/{self.here(pid)}/stat").read_text().rpartition(")")[2].split()[0]

    def kill(self, pid: int) -> None:
        """End a tree and wait until its numbers are free."""
        numbers = [*below(self.here(pid))]
        for number in reversed(numbers):
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        wait(lambda: not any(Path(f"/proc/{number}").exists() for number in numbers))

    def remove(self, restored: Restored) -> None:
        """Take a restored copy away by its own command, and wait until nothing of it is left."""
        self.node.run("sh", "-c", restored.remove, check=False)
        wait(lambda: restored.pid is None or self.host.pid(restored.pid) is None)

    def end(self) -> None:
        for restored in self._restored:
            self.remove(restored)
        for running in self._started:
            self._bare.remove(running)


def wait(ready: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something is so; it has to be in the end."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


@contextlib.contextmanager
def trees(node: Node, bare: Bare, folder: Path) -> Iterator[Trees]:
    """Trees that end with the test."""
    made = Trees(node, bare, folder)
    try:
        yield made
    finally:
        made.end()
