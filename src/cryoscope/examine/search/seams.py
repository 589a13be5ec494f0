"""Seams: where addresses go on and the bytes behind them lie elsewhere in the archive.

A pass over the images sees neither side of such a border together: between pages of the checkpoint and
those of its parent, and between a mapping of private and one of shared memory.  The bytes on both
sides, as many as a match can have, are put together and scanned.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, pairwise

from cryoscope import limits
from cryoscope.checkpoint.memory import AddressSpace
from cryoscope.checkpoint.memory.pages import Extent, PageIndex
from cryoscope.examine.search.layout import Layout, Seen
from cryoscope.examine.search.runs import ObjectRun, SpaceRun, known

Window = tuple[Seen, int, int]
"""Whose address space or object, and from where to where its bytes are to be scanned."""


def windows(layout: Layout, reach: int) -> Iterator[Window]:
    """What is to be scanned across seams, `reach` bytes on either side, windows that overlap as one."""
    room = limits.SEARCH_BORDERS
    for pid, space in layout.spaces.items():
        seen = Seen("memory", pid, SpaceRun(space))
        borders = [*islice(_borders(_extents(space)), room)]
        room -= len(borders)
        yield from _merged(seen, borders, reach)
    for number, index in layout.objects.items():
        if index.parent is not None:
            borders = [*islice(_borders(_all(index)), room)]
            room -= len(borders)
            yield from _merged(Seen("shared", number, ObjectRun(index)), borders, reach)


def _extents(space: AddressSpace) -> Iterator[Extent]:
    """Extents of a space beside which there may be a seam: all of them only where there is a parent."""
    page = space.page_size
    if space.own.parent is not None:
        for vma in space.mappings:
            if vma.kind != "guard":
                yield from space.extents(vma.start, vma.size)
        return
    for before, after in pairwise(vma for vma in space.mappings if vma.kind != "guard"):
        if before.end == after.start and before.object_id != after.object_id:
            yield from space.extents(before.end - page, 2 * page)


def _all(index: PageIndex) -> Iterator[Extent]:
    return index.extents(0, 1 << 62)


def _borders(extents: Iterable[Extent]) -> Iterator[int]:
    for one, other in pairwise(known(extents)):
        touching = one.start + one.length == other.start
        if touching and (one.member != other.member or one.offset + one.length != other.offset):
            yield other.start


def _merged(seen: Seen, borders: list[int], reach: int) -> Iterator[Window]:
    low = high = -1
    for border in borders:
        if high >= border - reach and border + reach - low <= limits.MIB:
            high = border + reach
            continue
        if high >= 0:
            yield seen, low, high
        low, high = max(0, border - reach), border + reach
    if high >= 0:
        yield seen, low, high
