"""What stands against letting a checkpoint go on with plain CRIU on this host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cryoscope.engines.criu.processes import Processes
from cryoscope.engines.criu.program import Program
from cryoscope.engines.port import HARD, NOTE, SOFT, Concern, RestoreOptions

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint

TOOLS = ("unshare", "mount", "umount", "chroot", "stat")
"""What the sandbox is made with (util-linux, coreutils)."""
READS_HOST = (
    "the copy reads the files of this host, as its programs and libraries are there; it cannot change them"
)


def concerns(
    program: Program, processes: Processes, checkpoint: Checkpoint, options: RestoreOptions
) -> list[Concern]:
    """Everything that is against it."""
    found = [
        *_of_program(program, options),
        *_of_options(options),
        *_of_spaces(checkpoint),
        *_of_connections(checkpoint, options),
        *_of_terminal(checkpoint),
    ]
    return [*found, *(_of_pids(processes, checkpoint) if options.live else [_note("files", READS_HOST)])]


def _of_program(program: Program, options: RestoreOptions) -> Iterator[Concern]:
    if program.version is None:
        yield _hard("missing", "there is no criu on this host", "install criu (4.2 for Linux 6.16 and newer)")
    elif program.complaint:
        yield _hard("kernel-feature", f"criu check: {program.complaint}", "use a newer criu or kernel")
    if not options.live:
        for tool in TOOLS:
            if program.ask("sh", "-c", 'command -v "$1"', "sh", tool).code:
                yield _hard("sandbox-tool", f"the sandbox takes {tool}", "install util-linux on this host")


def _of_options(options: RestoreOptions) -> Iterator[Concern]:
    for name in ("publish", "pod", "image"):
        if getattr(options, name):
            yield _hard("option", f"plain criu has no {name}", f"leave {name} out, or restore with an engine")


def _of_spaces(checkpoint: Checkpoint) -> Iterator[Concern]:
    """A dump of a container names its mounts and namespaces, which only its engine makes again."""
    if checkpoint.images.matching("mountpoints-*"):
        what = f"it has mounts of its own ({checkpoint.container.engine}), which plain criu cannot make"
        yield _hard("namespaces", what, "restore it with the engine that captured it")


def _of_connections(checkpoint: Checkpoint, options: RestoreOptions) -> Iterator[Concern]:
    states = [held.socket.state for held in checkpoint.sockets if held.socket.protocol == "tcp"]
    count = states.count("ESTABLISHED")
    if count and options.tcp == "refuse":
        what = f"it has {count} established TCP connections"
        yield _hard(
            "tcp-established", what, "--tcp close closes them, --tcp established tries to go on with them"
        )
    elif count and options.tcp == "established" and not options.live:
        yield _note("tcp-established", "in the sandbox only connections within it can go on")


def _of_terminal(checkpoint: Checkpoint) -> Iterator[Concern]:
    pids = {process.pid for process in checkpoint.processes}
    foreign = any(process.sid not in pids for process in checkpoint.processes)
    if foreign and "tty-info.img" in checkpoint.images:
        what = "its terminal belongs to a session that is not in the checkpoint"
        yield Concern(
            code="criu.terminal", weight=SOFT, what=what, cure="a process without a terminal goes on"
        )


def _of_pids(processes: Processes, checkpoint: Checkpoint) -> Iterator[Concern]:
    for process in checkpoint.processes:
        if (task := processes.task(process.pid)) is not None:
            what = f"process id {process.pid} is taken here by {task.comm}"
            yield _hard(
                "pid-taken", what, "end that process, or restore in the sandbox, which counts its own"
            )
            return


def _hard(code: str, what: str, cure: str) -> Concern:
    return Concern(code="criu." + code, weight=HARD, what=what, cure=cure)


def _note(code: str, what: str) -> Concern:
    return Concern(code="criu." + code, weight=NOTE, what=what)
