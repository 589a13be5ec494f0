"""One process after the other: its core, what gdb and pystack say, what can be told without them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.process import Process
from cryoscope.checkpoint.process.task import Thread
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.coredump import Backing, RootFolder, ready, write_core
from cryoscope.examine.coredump.core import Progress
from cryoscope.examine.stack import debugger, interpreter, scratch
from cryoscope.examine.stack.modules import Modules
from cryoscope.examine.stack.records import ProcessStack, ThreadStack
from cryoscope.examine.stack.walk import Walker

NAMED = 8
NO_GDB = "gdb is not installed: frames are told by frame pointers alone, which may lack some"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted: with gdb if it is installed, frames of Python, their local variables."""

    native: bool = True
    python: bool = True
    locals: bool = False


class Tracer:
    """Tells the stacks of a checkpoint's processes; what was damaged is added to `damaged`.

    `folder` is one of ours for temporary files.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        rootfs: RootFolder | None,
        folder: str,
        options: Options,
        progress: Progress | None = None,
    ) -> None:
        self._checkpoint = checkpoint
        self._rootfs = rootfs
        self._backing = Backing(checkpoint, rootfs)
        self._folder = folder
        self._options = options
        self._progress = progress
        self.damaged: list[Damaged] = []

    def process(self, process: Process) -> ProcessStack:
        """The stacks of one process; it never raises for what an archive holds."""
        if process.state == "zombie":
            return _of(process, [], notes=["is a zombie: it has no stack any more"])
        folder = tempfile.mkdtemp(dir=self._folder)
        gdb = debugger.path() if self._options.native else None
        python = self._options.python and self._runs_python(process)
        try:
            if gdb is None and not python:
                return self._without_core(process, folder, [NO_GDB] if self._options.native else [])
            ready(self._checkpoint, process)
            with scratch.nameless(self._folder) as core:
                self._write(process, core)
                return _Told(self, process, folder, core, gdb, python=python).stack()
        except (CryoscopeError, OSError) as error:
            return self._without_core(process, folder, [_why(error)])
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _runs_python(self, process: Process) -> bool:
        space = self._checkpoint.memory(process.pid)
        paths = [vma.path or "" for vma in space.mappings] if space is not None else []
        return interpreter.runs_python([process.exe or "", *paths])

    def modules(self, process: Process, folder: str) -> Modules:
        """The mapped files of a process."""
        return Modules(self._checkpoint, process.pid, self._backing, self._rootfs, folder)

    def walker(self, process: Process, modules: Modules) -> Walker:
        """Who tells frames without gdb."""
        return Walker(self._checkpoint, process, modules)

    @property
    def options(self) -> Options:
        """What is wanted."""
        return self._options

    def _write(self, process: Process, core: int) -> None:
        write_core(
            self._checkpoint,
            process.pid,
            core,
            self._backing,
            damaged=self.damaged,
            progress=self._progress,
        )

    def _without_core(self, process: Process, folder: str, notes: list[str]) -> ProcessStack:
        """What the registers say where there can be no core."""
        modules = self.modules(process, folder)
        walker = self.walker(process, modules)
        threads = [walker.thread(thread) for thread in process.threads]
        return _of(process, threads, notes=[*notes, *_missing(modules)])


def _of(
    process: Process, threads: list[ThreadStack], *, notes: list[str], python: str | None = None
) -> ProcessStack:
    return ProcessStack(
        pid=process.pid,
        comm=process.comm,
        state=process.state,
        threads=threads,
        exe=process.exe,
        python=python,
        notes=notes,
    )


class _Told:
    """What is told of one process that has a core."""

    def __init__(
        self, tracer: Tracer, process: Process, folder: str, core: int, gdb: str | None, *, python: bool
    ) -> None:
        self._gdb = gdb
        self._wanted = python
        self._tracer = tracer
        self._process = process
        self._folder = folder
        self._core = core
        self._modules = tracer.modules(process, folder)
        self._walker = tracer.walker(process, self._modules)
        self._notes: list[str] = []

    def stack(self) -> ProcessStack:
        """Everything."""
        native = self._native()
        python = self._python()
        found = [self._thread(thread, native, python) for thread in self._process.threads]
        self._notes += _missing(self._modules)
        return _of(self._process, found, notes=self._notes, python=python.version)

    def _thread(
        self, thread: Thread, native: dict[int, debugger.Unwound], python: interpreter.Interpreted
    ) -> ThreadStack:
        told = native.get(thread.tid)
        found = self._walker.thread(thread)
        if told is not None and len(told.frames) >= len(found.frames):
            found = ThreadStack(thread.tid, thread.comm, "gdb", told.frames, ended=told.ended)
        return msgspec.structs.replace(
            found, python=python.frames.get(thread.tid, []), has_gil=thread.tid in python.gil
        )

    def _native(self) -> dict[int, debugger.Unwound]:
        if self._gdb is None:
            self._notes += [NO_GDB] if self._tracer.options.native else []
            return {}
        try:
            return debugger.backtraces(self._gdb, self._core, self._modules, self._folder)
        except (CryoscopeError, OSError) as error:
            self._notes.append(_why(error))
            return {}

    def _python(self) -> interpreter.Interpreted:
        exe = self._process.exe
        if not self._wanted:
            return interpreter.Interpreted()
        try:
            return interpreter.python_frames(
                self._core, exe, self._modules, self._folder, with_locals=self._tracer.options.locals
            )
        except (CryoscopeError, OSError) as error:
            self._notes.append(_why(error))
            return interpreter.Interpreted()


def _missing(modules: Modules) -> Iterator[str]:
    """The files that nobody has given, by their names."""
    if modules.absent:
        names = ", ".join(os.path.basename(path) for path in modules.absent[:NAMED])
        more = len(modules.absent) - NAMED
        yield f"no file to tell functions by: {names}{f' and {more} more' if more > 0 else ''}"


def _why(error: Exception) -> str:
    if isinstance(error, CryoscopeError):
        return f"{error.message}: {error.hint}" if error.hint else error.message
    return f"temporary files: {error}"
