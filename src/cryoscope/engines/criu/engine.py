"""The engine of `pid://`: CRIU on the processes of a host."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cryoscope.engines.criu import against, obstacles, remains
from cryoscope.engines.criu.dumping import Dump
from cryoscope.engines.criu.packing import Packer
from cryoscope.engines.criu.processes import Processes, Task
from cryoscope.engines.criu.program import Program
from cryoscope.engines.port import (
    Ability,
    Captured,
    CaptureOptions,
    Check,
    Concern,
    Container,
    Edits,
    NoSuchContainer,
    Probe,
    Reach,
    Restored,
    RestoreOptions,
    Sink,
)
from cryoscope.errors import CryoscopeError
from cryoscope.text import readable

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint

STATES = {
    "R": "running",
    "S": "running",
    "D": "running",
    "I": "running",
    "T": "paused",
    "t": "paused",
    "Z": "exited",
}
YES = Ability(can=True)
WRITTEN = "files that it had open for writing are as they were; of other files only the names are in it"


class Criu:
    """CRIU on a host; meets `port.Engine`."""

    name = "criu"

    def __init__(self, reach: Reach) -> None:
        self.host = reach.host
        self._say = reach.say
        self.program = Program(reach.host)
        self._processes = Processes(reach.host)

    def close(self) -> None:
        """There is no connection."""

    def probe(self) -> Probe:
        """What this criu can do on this kernel."""
        version, able = self.program.version, self._ability()
        checks = [self._tracking(), self._resource()] if version else []
        return Probe(
            engine=self.name,
            endpoint="criu",
            version=version or "",
            capture=able,
            restore=able,
            checks=checks,
        )

    def _ability(self) -> Ability:
        if self.program.version is None:
            return Ability(can=False, why="there is no criu on this host", cure="install criu")
        if self.program.complaint:
            why = f"criu check: {self.program.complaint}"
            return Ability(can=False, why=why, cure="use a newer criu or kernel")
        return YES

    def _tracking(self) -> Check:
        if self.program.can("mem_dirty_track"):
            return Check(code="criu.soft-dirty", state="ok", what="the kernel tells which pages were written")
        what = "the kernel does not tell which pages were written: no captures in steps (pre-checkpoint)"
        return Check(
            code="criu.soft-dirty", state="warn", what=what, cure="a kernel with CONFIG_MEM_SOFT_DIRTY"
        )

    def _resource(self) -> Check:
        if self._processes.has_resource():
            return Check(code="criu.rlimit-user", state="ok", what="processes of all users can be dumped")
        what = "without CAP_SYS_RESOURCE only processes of root can be dumped"
        return Check(code="criu.rlimit-user", state="warn", what=what, cure="run with CAP_SYS_RESOURCE")

    def list(self) -> list[Container]:
        """The sessions of the host, but those of the kernel, of containers and of what runs this program."""
        own, space = self._processes.own(), self._processes.spaces(1).get("pid")
        leaders = [
            task
            for task in self._processes.all().values()
            if task.session == task.pid and task.pid != 1 and task.pid not in own and not task.is_kernels
        ]
        return [self._container(task) for task in leaders if self._is_hosts(task.pid, space)]

    def _is_hosts(self, pid: int, space: str | None) -> bool:
        return space is None or self._processes.spaces(pid).get("pid") == space

    def find(self, reference: str | None) -> Container:
        """The process with this number."""
        task = self._processes.task(int(reference)) if reference and reference.isdigit() else None
        if task is None:
            raise NoSuchContainer(
                f"there is no process {reference}", hint="cryoscope targets lists what can be captured here"
            )
        return self._container(task)

    def _container(self, task: Task) -> Container:
        able = self._ability()
        return Container(
            engine=self.name,
            id=str(task.pid),
            name=task.comm,
            state=STATES.get(task.state, "unknown"),
            target=f"pid://{task.pid}",
            pid=task.pid,
            capture=able,
            restore=able,
        )

    def concerns(self, container: Container, options: CaptureOptions) -> Sequence[Concern]:
        """What stands against dumping it."""
        return obstacles.concerns(self.program, self._processes, int(container.id), options)

    def capture(self, container: Container, options: CaptureOptions, sink: Sink) -> Captured:
        """Dump it into a folder on the host and stream that into the sink."""
        with self.host.scratch() as folder:
            dump = Dump(self.program, folder, int(container.id), options)
            about, began = self._about(dump.seen.root), time.time_ns()
            with remains.kept(dump, self._say):
                seconds = dump.run()
                statistics = Packer(self.host, folder, sink, keep=options.stop).pack(about, began)
        return Captured(
            container=container,
            version=self.program.version or "",
            seconds=seconds,
            left_out=[WRITTEN, *dump.left_out],
            statistics=statistics,
        )

    def _about(self, task: Task) -> dict[str, Any]:
        """What was dumped, for whoever reads the archive (checkpoint/container/bare.py)."""
        moment = time.time_ns()
        return {
            "pid": task.pid,
            "name": task.comm,
            "command": self._processes.arguments(task.pid),
            "executable": self._processes.executable(task.pid),
            "started_ns": moment - self._age_ns(task),
            "checkpointed_ns": moment,
            "kernel": self._processes.kernel(),
            "criu": self.program.version,
        }

    @staticmethod
    def _age_ns(task: Task) -> int:
        ticks = os.sysconf("SC_CLK_TCK")
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) - task.started * (1_000_000_000 // ticks)

    def restore_concerns(self, checkpoint: Checkpoint, options: RestoreOptions) -> Sequence[Concern]:
        """What stands against restoring it here."""
        return against.concerns(self.program, self._processes, checkpoint, options)

    def edits(self, checkpoint: Checkpoint, options: RestoreOptions) -> Edits:
        """In the sandbox nobody has more capabilities than a container, or gets new ones."""
        from cryoscope.engines.criu import privileges  # vetting: a capture needs nothing of it

        return Edits() if options.live else privileges.edits(checkpoint)

    def restore(self, archive: str, checkpoint: Checkpoint, options: RestoreOptions) -> Restored:
        """Let the images of `archive` go on, live or in a sandbox."""
        from cryoscope.engines.criu import restoring

        try:
            return restoring.restore(self.program, archive, checkpoint, options)
        except OSError as error:
            raise CryoscopeError(
                readable(str(error)), hint="is this program root on the host?", code="criu.host"
            ) from None
