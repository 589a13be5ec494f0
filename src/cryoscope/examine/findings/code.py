"""Executable memory of a process: what is anonymous, what is written to, and what of a file was changed.

CRIU dumps a page of a private file mapping only when it is no longer the file's: somebody wrote to it
(criu/mem.c, should_dump_page).  One such page is CRIU's own doing: to have the process run code of its own it
writes a system call to the beginning of the first executable mapping, and puts the old bytes back
(compel/src/lib/infect.c, find_executable_area), which leaves the page a copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cryoscope.checkpoint.memory import AddressSpace, Vma
from cryoscope.checkpoint.memory.pages import State

KERNELS = ("vdso", "vsyscall", "vvar", "uprobes", "guard")
"""Kinds of mappings that the kernel makes, or that are none."""

HELD = (State.DUMPED, State.PARENT)


class Span(NamedTuple):
    """Addresses in a mapping, `start` up to but not including `end`."""

    vma: Vma
    start: int
    end: int


def executable(space: AddressSpace) -> Iterator[Vma]:
    """The mappings that code can run in, but for the kernel's own."""
    return (vma for vma in space.mappings if "x" in vma.perms and vma.kind not in KERNELS)


def from_file(vma: Vma) -> bool:
    """Whether a mapping shows a file that has, or had, a name in a file system."""
    return vma.backed_by_file


def held(space: AddressSpace, vma: Vma) -> Iterator[Span]:
    """The pages of a mapping whose bytes the checkpoint has, those in a row together."""
    start = end = 0
    for extent in space.extents(vma.start, vma.size):
        if extent.state not in HELD:
            continue
        if extent.start != end and end:
            yield Span(vma, start, end)
        start = extent.start if extent.start != end or not end else start
        end = extent.start + extent.length
    if end:
        yield Span(vma, start, end)


def touched(space: AddressSpace, vma: Vma) -> int:
    """Bytes of a mapping that the checkpoint holds."""
    return sum(span.end - span.start for span in held(space, vma))


def written(space: AddressSpace) -> Iterator[Span]:
    """Pages of files' code that are no longer the file's, without the one that CRIU wrote to."""
    first = next(executable(space), None)
    for vma in executable(space):
        if vma.kind != "file":
            continue
        for span in held(space, vma):
            own = first is vma and span.start == vma.start
            start = span.start + space.page_size if own else span.start
            if start < span.end:
                yield Span(vma, start, span.end)


def criu_page(space: AddressSpace) -> Span | None:
    """The page that CRIU wrote to, if it belongs to a file."""
    first = next(executable(space), None)
    if first is None or first.kind != "file":
        return None
    return next(
        (
            Span(first, s.start, s.start + space.page_size)
            for s in held(space, first)
            if s.start == first.start
        ),
        None,
    )


def beginning(space: AddressSpace, vma: Vma, size: int = 16) -> str | None:
    """The first bytes of a mapping that the checkpoint holds, in hex."""
    span = next(held(space, vma), None)
    return space.read_known(span.start, size).hex(" ") if span is not None else None
