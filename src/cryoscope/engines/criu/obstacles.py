"""What stands against dumping a process tree, seen in /proc before CRIU stops anything."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator

from cryoscope.engines.criu.processes import Processes, Task
from cryoscope.engines.criu.program import Program
from cryoscope.engines.port import HARD, NOTE, SOFT, CaptureOptions, Concern
from cryoscope.text import escape

DEVICES = ("/dev/fuse", "/dev/dri", "/dev/nvidia", "/dev/kfd", "/dev/kvm", "/dev/vfio")
"""Character devices that CRIU cannot dump without a plugin: a few that are often met."""


class Seen:
    """A process tree as it is now: its tasks, and the descriptors of all."""

    def __init__(self, processes: Processes, pid: int) -> None:
        self.processes = processes
        self.tree = processes.tree(pid)
        self.pids = {task.pid for task in self.tree}
        self.descriptors = [found for task in self.tree for found in processes.descriptors(task.pid)]

    @property
    def root(self) -> Task:
        return self.tree[0]

    @property
    def is_shell_job(self) -> bool:
        """Whether it belongs to a session or terminal that began outside of it."""
        return any(task.session not in self.pids for task in self.tree)


def concerns(program: Program, processes: Processes, pid: int, options: CaptureOptions) -> list[Concern]:
    """Everything that is against it; the hard ones first."""
    found = [*_of_program(program, options), *_of_root(processes, pid)]
    if not any(each.weight == HARD for each in found):
        seen = Seen(processes, pid)
        found += [each for look in LOOKS for each in look(seen, options)]
    return sorted(found, key=lambda each: (HARD, SOFT, NOTE).index(each.weight))


def _of_program(program: Program, options: CaptureOptions) -> Iterator[Concern]:
    if program.version is None:
        yield _hard("missing", "there is no criu on this host", "install criu (4.2 for Linux 6.16 and newer)")
    elif program.complaint:
        yield _hard("kernel-feature", f"criu check: {program.complaint}", "use a newer criu or kernel")
    if options.pre_checkpoint or options.with_previous:
        what = "pid:// captures in one step only"
        yield _hard("one-step", what, "leave pre-checkpoint and with-previous out")
    if options.compression != "none":
        what = "pid:// writes a plain tar"
        yield Concern(code="criu.plain", weight=SOFT, what=what, cure="compress the archive afterwards")


def _of_root(processes: Processes, pid: int) -> Iterator[Concern]:
    task = processes.task(pid)
    if task is None or task.state in "ZX":
        yield _hard("process-gone", f"process {pid} has ended", "cryoscope targets lists what runs")
    elif pid == 1 or pid in processes.own():
        what = f"process {pid} is the first of its machine, this program or what started it"
        yield _hard("self-dump", what, "name a process that Cryoscope does not depend on")
    elif task.is_kernels:
        yield _hard("kernel-thread", f"process {pid} is a thread of the kernel", "name a process")


def _tracers(seen: Seen, _: CaptureOptions) -> Iterator[Concern]:
    for task in seen.tree:
        tracer = (seen.processes.status(task.pid, "TracerPid") or ["0"])[0]
        if tracer != "0":
            what = f"process {task.pid} ({task.comm}) is traced by process {tracer}"
            yield _hard("nested-ptrace", what, "end strace, gdb or whatever traces it")


def _users(seen: Seen, _: CaptureOptions) -> Iterator[Concern]:
    if seen.processes.has_resource():
        return
    for task in seen.tree:
        users = {*seen.processes.status(task.pid, "Uid"), *seen.processes.status(task.pid, "Gid")}
        if users - {"0"}:
            what = (
                f"process {task.pid} ({task.comm}) belongs to another user, and there is no CAP_SYS_RESOURCE"
            )
            yield _hard("rlimit-user", what, "run Cryoscope with CAP_SYS_RESOURCE")
            return


def _connections(seen: Seen, options: CaptureOptions) -> Iterator[Concern]:
    sockets = {found.shows for found in seen.descriptors if found.shows.startswith("socket:[")}
    established = {f"socket:[{inode}]" for inode in seen.processes.connections(seen.root.pid)}
    count = len(sockets & established)
    if count and options.tcp == "refuse":
        what = f"it has {count} established TCP connections"
        yield _hard(
            "tcp-established", what, "--tcp established keeps them, --tcp close closes them in the checkpoint"
        )
    elif count:
        what = f"{count} TCP connections stand still during the capture"
        yield Concern(code="criu.tcp-established", weight=NOTE, what=what)


def _locks(seen: Seen, options: CaptureOptions) -> Iterator[Concern]:
    holders = sorted(seen.pids & seen.processes.lockers())
    if holders and not options.file_locks:
        yield _hard(
            "file-locks", f"process {holders[0]} holds locks on files", "capture it with --file-locks"
        )


def _session(seen: Seen, _: CaptureOptions) -> Iterator[Concern]:
    if seen.is_shell_job:
        what = "it belongs to a session or terminal outside of it: a restored copy has to be given another"
        yield Concern(code="criu.tty-session", weight=NOTE, what=what)


def _spaces(seen: Seen, _: CaptureOptions) -> Iterator[Concern]:
    host, own = seen.processes.spaces(1), seen.processes.spaces(seen.root.pid)
    others = [kind for kind in ("mnt", "pid", "user") if own.get(kind) != host.get(kind, own.get(kind))]
    if others:
        what = f"it has namespaces of its own ({', '.join(others)}): it is a container of some engine"
        yield Concern(code="criu.namespaces", weight=SOFT, what=what, cure="capture it through its engine")
    for task in seen.tree[1:]:
        space = seen.processes.spaces(task.pid).get("pid")  # None of one that has ended meanwhile
        if space is not None and space != own.get("pid"):
            what = f"process {task.pid} ({task.comm}) has a pid namespace inside this one"
            yield _hard("nested-namespace", what, "capture that one alone, through its engine")
            return


def _kinds(seen: Seen, _: CaptureOptions) -> Iterator[Concern]:
    for found in seen.descriptors:
        which = f"descriptor {found.number} of process {found.pid}"
        if "[io_uring]" in found.shows:
            yield _hard(
                "io-uring", f"{which} is an io_uring, which CRIU cannot dump", "start it without io_uring"
            )
            return
        if stat.S_ISBLK(found.mode) or (stat.S_ISCHR(found.mode) and found.shows.startswith(DEVICES)):
            what = f"{which} is the device {escape(found.shows)}"
            yield Concern(
                code="criu.device-file",
                weight=SOFT,
                what=what,
                cure="close it, or install CRIU's plugin for it",
            )
            return


def _shared_pipes(seen: Seen, _: CaptureOptions) -> Iterator[Concern]:
    """Pipes whose other end is somebody else's: CRIU keeps our end, and what comes through it is lost."""
    ends: dict[str, set[int]] = {}
    for found in seen.descriptors:
        if found.shows.startswith("pipe:["):
            ends.setdefault(found.shows, set()).add(found.flags & 3)
    alone = [pipe for pipe, modes in ends.items() if len(modes) == 1 and 2 not in modes]
    if alone:
        what = f"{len(alone)} of its pipes end outside of it: a restored copy has nobody at the other end"
        yield Concern(code="criu.pipe-outside", weight=NOTE, what=what)


def _hard(code: str, what: str, cure: str) -> Concern:
    return Concern(code="criu." + code, weight=HARD, what=what, cure=cure)


LOOKS: tuple[Callable[[Seen, CaptureOptions], Iterator[Concern]], ...] = (
    _tracers,
    _users,
    _connections,
    _locks,
    _session,
    _spaces,
    _kinds,
    _shared_pipes,
)
