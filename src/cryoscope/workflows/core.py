"""`core`: processes of a checkpoint as core files in a folder.

The files are named by us, `core.PID`; a file is written under another name and appears when it is whole.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import msgspec

from cryoscope.errors import CryoscopeError, Damaged, UsageError
from cryoscope.examine.coredump import Backing, Filled, Missing, RootFolder, ready, write_core
from cryoscope.text import readable
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, Asking, answer, each
from cryoscope.workflows.open import Progress, open_checkpoint

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint
    from cryoscope.checkpoint.process import Process

PRIVATE = 0o600
"""Memory holds every secret of a process."""
NOTHING_TO_DO = ("core.zombie",)
"""Why a process has no core that is nobody's fault."""


class WrittenCore(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A core file: `size` bytes at `path`, `stored` of them memory that is not known to be zero.

    `exe` is the program's own file on this machine, if it was found in the root file system that was
    given; `missing` and `filled` are mappings of which bytes were left out, or read from files.
    """

    pid: int
    comm: str
    path: str
    size: int
    stored: int
    threads: int
    segments: int
    notes: int
    exe: str | None = None
    missing: list[Missing] = []
    filled: list[Filled] = []


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """A process without a core, and why."""

    pid: int
    comm: str
    code: str
    reason: str


class CoresPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `core`."""

    rootfs: str | None = None
    cores: list[WrittenCore] = []
    skipped: list[Skipped] = []

    def rows(self) -> list[Any]:
        return [*self.cores, *self.skipped]


class Writing(msgspec.Struct, kw_only=True):
    """Where and how: into `folder`, files behind mappings from `rootfs`, old cores replaced by `force`."""

    folder: str
    pids: Sequence[int] = ()
    everything: bool = False
    rootfs: str | None = None
    force: bool = False


def write_cores(target: str, writing: Writing, asking: Asking) -> Answer:
    """Write the cores of an archive's processes; what was written is a document of `cores`."""

    def read(target: str) -> tuple[CoresPart, list[Damaged]]:
        progress = asking.progress(target)
        with open_checkpoint(
            target, cache=asking.cache, access=asking.access, stacks=True, progress=progress
        ) as checkpoint:
            work = _Work(checkpoint, writing, progress)
            try:
                part = work.all(readable(target))
            finally:
                work.close()
            return part, [*checkpoint.damaged, *work.damaged]

    return answer("cores", *each([target], read))


class _Work:
    """The cores of one checkpoint."""

    def __init__(self, checkpoint: Checkpoint, writing: Writing, progress: Progress | None) -> None:
        self._checkpoint = checkpoint
        self._writing = writing
        self._progress = progress
        self.damaged: list[Damaged] = []
        self._rootfs = RootFolder(writing.rootfs) if writing.rootfs is not None else None
        self._backing = Backing(checkpoint, self._rootfs)
        self._folder = CoreFolder(writing.folder, force=writing.force)

    def close(self) -> None:
        self._folder.close()
        if self._rootfs is not None:
            self._rootfs.close()

    def all(self, target: str) -> CoresPart:
        """Write them in the order in which their pages lie in the archive, name them in that of the tree."""
        processes = self._chosen()
        for process in processes:
            self._folder.demand(process.pid)
        found = {process.pid: self._core(process) for process in sorted(processes, key=self._place)}
        made = [found[process.pid] for process in processes]
        return CoresPart(
            archive=target,
            rootfs=readable(self._writing.rootfs) if self._writing.rootfs is not None else None,
            cores=[core for core in made if isinstance(core, WrittenCore)],
            skipped=[core for core in made if isinstance(core, Skipped)],
        )

    def _chosen(self) -> list[Process]:
        processes = [branch.process for branch in self._checkpoint.tree]
        if self._writing.everything:
            return processes
        for pid in self._writing.pids:
            ready(self._checkpoint, self._checkpoint.process(pid))
        if not self._writing.pids and len(processes) > 1:
            pids = ", ".join(str(process.pid) for process in processes[:20])
            raise UsageError(
                "there are several processes",
                hint=f"give --all, or --pid with one of {pids}",
                code="core.which",
            )
        return [p for p in processes if not self._writing.pids or p.pid in self._writing.pids]

    def _place(self, process: Process) -> tuple[int, str]:
        """Where the process's pages lie: a compressed archive is read forward."""
        space = self._checkpoint.memory(process.pid)
        member = space.own.images.member(space.own.member) if space is not None else None
        return (self._checkpoint.archive.members[member].offset, member) if member else (-1, "")

    def _core(self, process: Process) -> WrittenCore | Skipped:
        try:
            return self._write(process)
        except CryoscopeError as error:
            if not self._writing.everything or isinstance(error, UsageError):
                raise
            if error.code not in NOTHING_TO_DO:
                self.damaged.append(Damaged(f"core of pid {process.pid}", error.message, error.code))
            return Skipped(pid=process.pid, comm=process.comm, code=error.code, reason=error.message)

    def _write(self, process: Process) -> WrittenCore:
        ready(self._checkpoint, process)
        with self._folder.file(process.pid) as descriptor:
            core = write_core(
                self._checkpoint,
                process.pid,
                descriptor,
                self._backing,
                damaged=self.damaged,
                progress=self._progress,
            )
        fields = {name: getattr(core, name) for name in core.__struct_fields__}
        path = readable(os.path.join(self._writing.folder, name_of(process.pid)))
        return WrittenCore(path=path, exe=self._program(process.pid), **fields)

    def _program(self, pid: int) -> str | None:
        """The program's file in the root file system, if it is the one that ran."""
        mm = self._checkpoint.images.first(f"mm-{pid}.img")
        file = self._checkpoint.files[mm.exe_file_id] if mm is not None else None
        if file is None or self._rootfs is None or not self._backing.in_rootfs(file.id):
            return None
        found = self._rootfs.real(file.name)
        return readable(found) if found is not None and found.isprintable() else None


def name_of(pid: int) -> str:
    """The name of a process's core."""
    return f"core.{pid}"


class CoreFolder:
    """The folder that cores are written to, made if it is not there; raises `UsageError`, CryoscopeError."""

    def __init__(self, path: str, *, force: bool) -> None:
        self._path = path
        self._force = force
        self._folder = -1
        try:
            os.makedirs(path, mode=0o700, exist_ok=True)
            self._folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise _unwritable(path, error) from None

    def close(self) -> None:
        """Give back the folder."""
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    def demand(self, pid: int) -> None:
        """Raises `UsageError` if there is a core of this process that may not be replaced."""
        name = name_of(pid)
        try:
            mode = os.stat(name, dir_fd=self._folder, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISREG(mode):
            raise UsageError(
                f"{self._path}/{name} is no regular file", hint="name another folder", code="write.kind"
            )
        if not self._force:
            raise _exists(f"{self._path}/{name}")

    @contextmanager
    def file(self, pid: int) -> Iterator[int]:
        """A new file that gets its name when the block ends, and is taken away if that fails."""
        unfinished = f".core.{pid}.{secrets.token_hex(8)}.part"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(unfinished, flags, PRIVATE, dir_fd=self._folder)
            try:
                yield descriptor
                self._publish(unfinished, pid)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _unwritable(f"{self._path}/{name_of(pid)}", error) from error
        finally:
            with suppress(FileNotFoundError):
                os.unlink(unfinished, dir_fd=self._folder)

    def _publish(self, unfinished: str, pid: int) -> None:
        """Give the file its name: atomically, and only replacing a regular file that may be replaced."""
        name, here = name_of(pid), self._folder
        self.demand(pid)
        if self._force:
            os.rename(unfinished, name, src_dir_fd=here, dst_dir_fd=here)
            return
        try:
            os.link(unfinished, name, src_dir_fd=here, dst_dir_fd=here)
        except FileExistsError:
            raise _exists(f"{self._path}/{name}") from None
        except PermissionError:  # a file system without links
            os.rename(unfinished, name, src_dir_fd=here, dst_dir_fd=here)


def _exists(path: str) -> UsageError:
    return UsageError(
        f"{path} is there already", hint="name a new folder, or give --force", code="write.exists"
    )


def _unwritable(path: str, error: OSError) -> CryoscopeError:
    return CryoscopeError(
        f"{path} cannot be written: {error.strerror or error}",
        hint="is there room, and may you write there?",
        code="write.failed",
    )


def debugger(core: WrittenCore, rootfs: str | None) -> list[str]:
    """The command that opens a core in gdb.

    Nothing that came out of the archive is run or taken for a command, and libraries are looked for in the
    root file system only: those of this machine have the same names, and other contents.
    """
    settings = ["set auto-load off", f"set sysroot {os.path.abspath(rootfs) if rootfs else os.devnull}"]
    program = [core.exe] if core.exe is not None else []
    options = [word for setting in settings for word in ("-iex", setting)]
    return ["gdb", "-q", *options, *program, f"--core={core.path}"]
