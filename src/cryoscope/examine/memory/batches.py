"""Memory put together into batches that no string crosses.

A batch is a few MiB of bytes out of many places: what is not contiguous in address is kept apart by
a byte that no string holds, and what a string may go on in is put off to the next batch.  So each can
be searched alone, by any thread.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import NamedTuple

from cryoscope import limits
from cryoscope.checkpoint.memory import State
from cryoscope.examine.memory.reading import Reader
from cryoscope.examine.memory.regions import Region

GAP = b"\xff"
"""No part of a string in any encoding."""

NONE_CROSSES = re.compile(rb".*(?:[^\t -~\x00]|\x00\x00)", re.DOTALL)
"""Up to the last byte behind which a string can begin but none goes on, in ASCII and UTF-16."""

WINDOWS = (4096, 65536, 1 << 62)
BATCH = 4 << 20
"""Bytes of a batch: with fewer, threads wait for the interpreter more often than they work."""

UNIT, ZEROS = 4096, 8 * 4096
"""Bytes of zero in a row that are left out: less is not worth the place."""


class Segment(NamedTuple):
    """A part of a batch: from byte `at` on lies what `region` has from `address` on."""

    at: int
    address: int
    region: Region


Buffer = bytes | memoryview


class Batch(NamedTuple):
    """Bytes and what they are; segments in rising order of `at`."""

    data: Buffer
    segments: list[Segment]


def batches(regions: Iterable[Region], reader: Reader, *, size: int = BATCH) -> Iterator[Batch]:
    """The known bytes of the regions in their order, those of pages that are zero left out."""
    joiner = _Joiner(size)
    for region in regions:
        for piece in reader.pieces(region.space, region.start, region.end):
            if piece.data is not None:
                for address, part in _without_zeros(piece.start, piece.data):
                    yield from joiner.add(region, address, part)
            elif piece.state == State.ZERO and piece.start == joiner.end:
                yield from joiner.add(region, piece.start, memoryview(b"\0\0"))  # may end a UTF-16 character
    yield from joiner.rest()


def _without_zeros(start: int, data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The parts of a piece between long runs of zero bytes, of which the first two stay."""
    begin = 0
    for low, high in _zeros(data):
        yield start + begin, data[begin : low + 2]
        begin = high
    if begin < len(data):
        yield start + begin, data[begin:]


def _zeros(data: memoryview) -> Iterator[tuple[int, int]]:
    """Runs of at least `ZEROS` bytes of zero, in whole units of `UNIT`."""
    low = 0
    while low + ZEROS <= len(data):
        # Every unit of a run that is long enough covers one of these places.
        if data[low + ZEROS - UNIT : low + ZEROS - UNIT + 8] != _EIGHT:
            low += ZEROS
            continue
        low, high = _widened(data, low, low + ZEROS - UNIT)
        if high - low >= ZEROS:
            yield low, high
        low = max(high, low + UNIT)


def _widened(data: memoryview, low: int, at: int) -> tuple[int, int]:
    """The run of zero units about `at`, not before `low`."""
    begin = end = at
    while begin - UNIT >= low and bytes(data[begin - UNIT : begin]) == _NOTHING:
        begin -= UNIT
    while bytes(data[end : end + UNIT]) == _NOTHING:
        end += UNIT
    return begin, end


_EIGHT, _NOTHING = bytes(8), bytes(UNIT)


class _Joiner:
    """Collects parts until there are `size` bytes and a place where no string crosses."""

    def __init__(self, size: int) -> None:
        self.end = -1
        self._size = size
        self._parts: list[bytes | memoryview] = []
        self._segments: list[Segment] = []
        self._length = 0
        self._enough = size

    def add(self, region: Region, address: int, part: memoryview) -> Iterator[Batch]:
        """One more part; a batch if that makes one."""
        goes_on = address == self.end and self._segments[-1].region.pids == region.pids
        if not goes_on and self._parts:
            self._append(GAP)
        if not goes_on or self._segments[-1].region is not region:
            self._segments.append(Segment(self._length, address, region))
        self._append(part)
        self.end = address + len(part)
        if self._length >= self._enough:
            yield from self._full()

    def rest(self) -> Iterator[Batch]:
        """What is left at the end."""
        if self._parts:
            yield Batch(b"".join(self._parts), self._segments)

    def _append(self, part: bytes | memoryview) -> None:
        self._parts.append(part)
        self._length += len(part)

    def _full(self) -> Iterator[Batch]:
        data = b"".join(self._parts)
        end = last_place(data)
        if not end and len(data) >= limits.STRING:
            end = len(data)
        if not end:  # one long string: looked at again when there is twice as much
            self._parts, self._enough = [data], 2 * self._enough
            return
        yield Batch(memoryview(data)[:end], [segment for segment in self._segments if segment.at < end])
        self._carry(data[end:], end)

    def _carry(self, data: bytes, end: int) -> None:
        """Begin the next batch with what lay behind `end`."""
        first = bisect_right(self._segments, end, key=attrgetter("at")) - 1
        at, address, region = self._segments[first]
        later = (segment._replace(at=segment.at - end) for segment in self._segments[first + 1 :])
        self._segments = [Segment(0, address + end - at, region), *later]
        self._parts, self._length, self._enough = [data], len(data), self._size


def last_place(data: bytes) -> int:
    """The last place in `data` that no string crosses; 0 if there is none."""
    for window in WINDOWS:
        low = max(0, len(data) - window)
        found = NONE_CROSSES.match(data, low)
        if found or not low:
            return found.end() if found else 0
    return 0
