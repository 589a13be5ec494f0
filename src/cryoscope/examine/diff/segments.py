"""The pages of two address spaces beside each other: what can be compared, and what can be said without.

A page is known where its bytes are in the archive or it is known to be zero.  A page of a mapped file that
nobody wrote to is in the file only (`State.FILE`), others are missing; neither is ever called equal.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cryoscope.checkpoint.memory import AddressSpace, PageIndex, State, Vma
from cryoscope.checkpoint.memory.pages import Extent
from cryoscope.checkpoint.memory.space import ANONYMOUS, pieces_of
from cryoscope.examine.diff.pages import Place
from cryoscope.examine.memory.spans import gaps, merged

IN_NO_CHECKPOINT = ("guard", "vvar", "vsyscall")
"""Kinds of mappings that never have pages in a checkpoint."""

COMPARE, NOTHING = "compare", "nothing"
NEW, GONE, ZERO, FILE, UNKNOWN = "new", "gone", "zero", "file", "unknown"


class Segment(NamedTuple):
    """Pages in a row of which the same can be said; `old` and `new` are where their bytes lie."""

    address: int
    length: int
    what: str
    old: Place | None = None
    new: Place | None = None


class Range(NamedTuple):
    """A part of a mapping, as the later side has it or, where that has none, the earlier."""

    start: int
    end: int
    vma: Vma


def ranges(old: list[Vma], new: list[Vma]) -> list[Range]:
    """What is mapped privately on either side, in pieces of one mapping each, by address."""
    found = [*_private(new)]
    covered = merged((piece.start, piece.end) for piece in found)
    for piece in _private(old):
        found += [Range(low, high, piece.vma) for low, high in gaps(covered, piece.start, piece.end)]
    return sorted(found, key=lambda piece: piece.start)


def _private(vmas: list[Vma]) -> Iterator[Range]:
    for piece in pieces_of(vmas):
        if piece.vma.kind not in IN_NO_CHECKPOINT and piece.vma.object_id is None:
            yield Range(*piece)


class View:
    """The private pages of one side; `doubtful` where its page map is damaged: then nothing is zero."""

    def __init__(self, space: AddressSpace, *, doubtful: bool) -> None:
        self._own = space.own
        self._doubtful = doubtful
        self._pieces = [*_private(space.mappings)]
        self._starts = [piece.start for piece in self._pieces]

    def extents(self, start: int, end: int) -> Iterator[Extent]:
        """What is known between two addresses; what is shared there, or a guard, is not mapped privately."""
        position = start
        for piece in self._pieces[max(0, bisect_right(self._starts, start) - 1) :]:
            if piece.start >= end:
                break
            low, high = max(piece.start, start), min(piece.end, end)
            if low < high:
                if position < low:
                    yield Extent(position, low - position, State.UNMAPPED)
                yield from _filled(self._own.extents(low, high), low, high, self._absent(piece.vma))
                position = high
        if position < end:
            yield Extent(position, end - position, State.UNMAPPED)

    def _absent(self, vma: Vma) -> str:
        """The state of a page that no entry of the page map covers, as in `AddressSpace`."""
        if vma.backed_by_file:
            return State.FILE
        return State.ZERO if vma.kind in ANONYMOUS and not self._doubtful else State.UNKNOWN


def object_extents(index: PageIndex | None, end: int, *, doubtful: bool) -> Iterator[Extent]:
    """The pages of a shared object up to `end`; what no entry covers was never touched."""
    absent = State.UNKNOWN if doubtful or index is None else State.ZERO
    return _filled(index.extents(0, end) if index is not None else (), 0, end, absent)


def _filled(extents: Iterable[Extent], position: int, end: int, absent: str) -> Iterator[Extent]:
    """The extents without a gap: what lies between them is `absent`."""
    for extent in extents:
        if extent.start > position:
            yield Extent(position, extent.start - position, absent)
        yield extent
        position = extent.start + extent.length
    if position < end:
        yield Extent(position, end - position, absent)


def segments(old: Iterable[Extent], new: Iterable[Extent]) -> Iterator[Segment]:
    """Both sides in step: each row of pages that is of one state on either side.

    Both begin at one address and leave no gap.
    """
    left, right = iter(old), iter(new)
    a, b = next(left, None), next(right, None)
    while a is not None and b is not None:
        length = min(a.length, b.length)
        found = _segment(a, b, length)
        if found.what != NOTHING:
            yield found
        a = _rest(a, length) or next(left, None)
        b = _rest(b, length) or next(right, None)


def _rest(extent: Extent, length: int) -> Extent | None:
    if length == extent.length:
        return None
    offset = extent.offset + length if extent.images is not None else -1
    return extent._replace(start=extent.start + length, length=extent.length - length, offset=offset)


def _segment(a: Extent, b: Extent, length: int) -> Segment:
    old, new = _place(a), _place(b)
    before, after = _known(a, old), _known(b, new)
    what = _what(before, after)
    if what == COMPARE and old is None and new is None:
        what = ZERO
    return Segment(a.start, length, what, old, new)


def _place(extent: Extent) -> Place | None:
    member = extent.images.member(extent.member) if extent.images is not None else None
    if extent.images is None or member is None:
        return None
    return Place(extent.images, member, extent.offset)


def _known(extent: Extent, place: Place | None) -> str:
    """`bytes`, `zero`, `file`, `unmapped`, or `missing`."""
    if extent.images is not None:
        return "bytes" if place is not None else "missing"
    return extent.state if extent.state in (State.ZERO, State.FILE, State.UNMAPPED) else "missing"


def _what(old: str, new: str) -> str:
    """What can be said of pages that are in these states."""
    if "missing" in (old, new):
        return UNKNOWN
    if old in ("bytes", "zero") and new in ("bytes", "zero"):
        return COMPARE
    if "bytes" in (old, new):
        return NEW if new == "bytes" else GONE
    if old == new == State.FILE:
        return FILE
    return UNKNOWN if {old, new} == {State.FILE, State.ZERO} else NOTHING
