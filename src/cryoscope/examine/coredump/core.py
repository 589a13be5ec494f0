"""One process of a checkpoint as an ELF core file, for gdb and everything else that reads those.

    header, program headers, [section header 0], notes, pages

The pages are written where they belong in the order in which the archive has them, a piece at a time:
a compressed archive goes by once, and memory holds the list of segments.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Any

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.criu.names import MARCHES, named
from cryoscope.checkpoint.memory import AddressSpace
from cryoscope.checkpoint.process import Process
from cryoscope.checkpoint.process.task import Thread
from cryoscope.errors import CryoscopeError, Damaged, MemoryMissing
from cryoscope.examine.coredump import elf, notes, xsave
from cryoscope.examine.coredump.backing import Backing, Source
from cryoscope.examine.coredump.elf import Segment
from cryoscope.examine.coredump.layout import Layout
from cryoscope.examine.coredump.parts import GUARD, Part, Parts
from cryoscope.examine.coredump.records import Core, Filled, Missing

CHUNK = 1 << 18
"""Bytes copied at a time: what malloc gives back after larger blocks the kernel clears again for the next."""
COMPAT = 2
"""user_x86_regs_mode of a 32-bit program."""

Progress = Callable[[int, int], None]
"""Called with the bytes of memory written so far, and all of them."""


def ready(checkpoint: Checkpoint, process: Process) -> AddressSpace:
    """The memory of a process, if a core of it can be written; else CryoscopeError, which says why not.

    `core.architecture` for another than x86-64, `core.compat` for a 32-bit program, `core.zombie`,
    `core.memory` and `core.registers` for a process without.
    """
    if process.state == "zombie":
        raise _no(process, "zombie", "is a zombie: it has no memory any more", "choose another process")
    leader = checkpoint.images.first(f"core-{process.pid}.img")
    if leader is None:
        raise _no(process, "registers", "has no readable core image", "its memory can still be searched")
    machine = named(leader.mtype, MARCHES)
    if machine != "x86_64":
        raise _no(process, "architecture", f"ran on {machine}", "core files can be written of x86_64 so far")
    if not leader.HasField("thread_info"):
        raise _no(process, "registers", "has no registers in its core image", "take the checkpoint again")
    if leader.thread_info.gpregs.mode == COMPAT:
        raise _no(process, "compat", "is a 32-bit program", "core files can be written of 64-bit ones so far")
    space = checkpoint.memory(process.pid)
    if space is None:
        raise _no(process, "memory", "has no readable mm image", "take the checkpoint again")
    return space


def _no(process: Process, what: str, problem: str, hint: str) -> CryoscopeError:
    return CryoscopeError(f"process {process.pid} {problem}", hint=hint, code=f"core.{what}")


def write_core(
    checkpoint: Checkpoint,
    pid: int,
    descriptor: int,
    backing: Backing,
    *,
    damaged: list[Damaged],
    progress: Progress | None = None,
) -> Core:
    """Write the core of process `pid` to an empty file; what of it was damaged is added to `damaged`.

    Raises as `ready`, `LimitExceeded`, `MemoryMissing` where the archive ends before its index says so,
    and OSError for the file.
    """
    process = checkpoint.process(pid)
    space = ready(checkpoint, process)
    layout = Layout(Parts(checkpoint, pid, space, backing))
    writer = _Writer(descriptor, layout, progress)
    threads = Threads(checkpoint, process, damaged)
    written = writer.write(threads.notes(layout))
    return Core(
        pid=pid,
        comm=process.comm,
        size=written,
        stored=layout.stored,
        threads=threads.count,
        notes=writer.notes,
        segments=len(layout.segments),
        missing=_missing(layout),
        filled=_filled(layout),
    )


class Threads:
    """The notes of a process and its threads."""

    def __init__(self, checkpoint: Checkpoint, process: Process, damaged: list[Damaged]) -> None:
        self._checkpoint = checkpoint
        self._process = process
        self._damaged = damaged
        self.count = 0

    def notes(self, layout: Layout) -> Iterator[bytes]:
        """All notes, those of the first thread first."""
        process, images = self._process, self._checkpoint.images
        leader: Any = images.first(f"core-{process.pid}.img")  # both are there: see `ready`
        mm: Any = images.first(f"mm-{process.pid}.img")
        arguments = b""
        if mm.mm_arg_end > mm.mm_arg_start:
            length = min(80, mm.mm_arg_end - mm.mm_arg_start)
            arguments = layout.parts.space.read_known(mm.mm_arg_start, length)
        in_call = leader.thread_info.gpregs.orig_ax < 1 << 63
        yield notes.process_note(process, leader.tc, in_call, arguments)
        yield from self._thread(process.pid, leader, [*_signals(leader), *leader.tc.signals_s.signals])
        yield notes.auxiliary_note(mm.mm_saved_auxv)
        yield notes.file_note(layout.vmas)
        for thread in process.threads:
            if thread.tid != process.pid:
                yield from self._other(thread)

    def _other(self, thread: Thread) -> Iterator[bytes]:
        core = self._checkpoint.images.first(f"core-{thread.tid}.img")
        if core is None or not core.HasField("thread_info"):
            self._note(thread.tid, "its registers are missing")
            return
        yield from self._thread(thread.tid, core, _signals(core))

    def _thread(self, tid: int, core: Any, waiting: list[Any]) -> Iterator[bytes]:
        self.count += 1
        if core.thread_info.HasField("fpregs"):
            for field in xsave.damaged(core.thread_info.fpregs):
                self._note(tid, f"{field} is cut short and left out of the core")
        signals = [bytes(entry.siginfo) for entry in waiting[:1]]
        yield from notes.thread_notes(self._process, tid, core, signals)

    def _note(self, tid: int, problem: str) -> None:
        self._damaged.append(Damaged(f"pid {self._process.pid}, thread {tid}", problem, "core.registers"))


def _signals(core: Any) -> list[Any]:
    return list(core.thread_core.signals_p.signals)


class _Writer:
    """Puts a core together in an empty file."""

    def __init__(self, descriptor: int, layout: Layout, progress: Progress | None) -> None:
        self._descriptor = descriptor
        self._layout = layout
        self._progress = progress
        self._done = 0
        self._base = 0
        self.notes = 0

    def write(self, found: Iterator[bytes]) -> int:
        """Everything; returns the size of the file."""
        segments = self._layout.segments
        sections = elf.EHDR.size + elf.PHDR.size * (len(segments) + 1)
        extension = elf.extension(len(segments))
        start = sections + len(extension)
        end = self._notes(found, start)
        self._base = elf.aligned(end)
        self._put(elf.header(len(segments), sections) + elf.note_header(start, end - start), 0)
        self._headers(segments, elf.EHDR.size + elf.PHDR.size)
        self._put(extension, sections)
        os.ftruncate(self._descriptor, self._base + self._layout.size)
        self._pages()
        return self._base + self._layout.size

    def _notes(self, found: Iterator[bytes], at: int) -> int:
        for data in found:
            self._put(data, at)
            at += len(data)
            self.notes += 1
        return at

    def _headers(self, segments: list[Segment], at: int) -> None:
        rows = CHUNK // elf.PHDR.size
        for first in range(0, len(segments), rows):
            some = segments[first : first + rows]
            placed = (segment._replace(offset=self._base + segment.offset) for segment in some)
            self._put(b"".join(map(elf.load_header, placed)), at + first * elf.PHDR.size)

    def _pages(self) -> None:
        layout = self._layout
        for place, index in sorted(layout.work):
            segments = layout.segments_of(index)
            starts = [segment.start for segment in segments]
            for part in layout.parts.of(layout.vmas[index]):
                if part.source is not None and part.source.place == place:
                    segment = segments[bisect_right(starts, part.start) - 1]
                    self._copy(part, part.source, self._base + segment.offset + part.start - segment.start)

    def _copy(self, part: Part, source: Source, at: int) -> None:
        for done in range(0, part.length, CHUNK):
            length = min(CHUNK, part.length - done)
            data = _bytes(part, source, done, length)
            if any(data[::512]) or data.count(0) < len(data):  # else a hole of the file
                self._put(data, at + done)
            self._done += length
            if self._progress is not None:
                self._progress(self._done, self._layout.stored)

    def _put(self, data: bytes, at: int) -> None:
        while data:
            written = os.pwrite(self._descriptor, data, at)
            data, at = data[written:], at + written


def _bytes(part: Part, source: Source, done: int, length: int) -> bytes:
    """Bytes of a part; of a file's last page those behind its end are zero, and may be left away."""
    data = source.read(part.offset + done, length)
    whole = min(length, source.size - part.offset - done)
    if len(data) < whole:
        raise MemoryMissing(
            f"memory at {part.start + done + len(data):#x} is missing: its bytes end too early",
            hint="the archive is truncated: take the checkpoint again",
            code="memory.truncated",
        )
    return data


def _missing(layout: Layout) -> list[Missing]:
    return [
        Missing(
            start=vma.start,
            end=vma.end,
            kind=vma.kind,
            bytes=size,
            code=absent.code,
            reason=absent.reason,
            path=vma.path,
            path_base64=vma.path_base64,
        )
        for vma, absent, size in layout.lost
        if absent != GUARD
    ]


def _filled(layout: Layout) -> list[Filled]:
    return [
        Filled(
            start=vma.start,
            end=vma.end,
            bytes=size,
            origin=source.origin,
            checked=source.checked,
            path=vma.path,
            path_base64=vma.path_base64,
        )
        for vma, source, size in layout.taken
    ]
