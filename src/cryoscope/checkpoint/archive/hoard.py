"""Parts of a stream kept in memory while it goes by, within a budget."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

OVERHEAD = 100
"""Bytes that a kept piece costs beside its own."""


class Allowance:
    """Room that several hoards share: the layers of an image together get that of one archive."""

    def __init__(self, room: int) -> None:
        self.room = room


class Hoard:
    """Pieces of a stream by their offset.

    Members that were kept only because there was room (`spare`) make way for others: small
    members, and ranges that were asked for.
    """

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._used = 0
        self._starts: list[int] = []
        self._pieces: list[bytes] = []
        self._spare: list[tuple[int, int, list[tuple[int, int]]]] = []

    def reserve(self, length: int, *, evict: bool) -> bool:
        """Set room for a piece aside, if there is any; with `evict` at the cost of spare ones."""
        cost = length + OVERHEAD
        while evict and self._allowance.room < cost and self._spare:
            self._evict()
        if self._allowance.room < cost:
            return False
        self._spend(cost)
        return True

    def _spend(self, cost: int) -> None:
        self._allowance.room -= cost
        self._used += cost

    def spare(self, start: int, end: int, pins: list[tuple[int, int]]) -> None:
        """From `start` to `end` may be dropped again, but for the `pins` (start, end) in it."""
        self._spare.append((start, end, pins))

    def put(self, start: int, piece: bytes) -> None:
        """Keep a piece that begins at `start` of the stream, overlaps no other and has its room."""
        place = len(self._starts)
        if place and self._starts[-1] > start:
            place = bisect_left(self._starts, start)
        self._starts.insert(place, start)
        self._pieces.insert(place, piece)

    def clear(self) -> None:
        """Forget everything and give the room back."""
        self._starts, self._pieces, self._spare = [], [], []
        self._spend(-self._used)

    def find(self, offset: int, length: int) -> bytes:
        """What is kept from `offset` on in one piece: up to `length` bytes, none if it is not kept."""
        place = bisect_right(self._starts, offset) - 1
        if place < 0:
            return b""
        begin = offset - self._starts[place]
        return self._pieces[place][begin : begin + length]

    def next_start(self, offset: int, end: int) -> int:
        """Where the first piece behind `offset` begins, at most `end`."""
        place = bisect_right(self._starts, offset)
        return min(end, self._starts[place]) if place < len(self._starts) else end

    def _evict(self) -> None:
        start, end, pins = self._spare.pop(0)
        kept = [(low, self._copy(low, high)) for low, high in pins]
        first, last = bisect_left(self._starts, start), bisect_left(self._starts, end)
        self._spend(sum(high - low + OVERHEAD for low, high in pins) - (end - start) - OVERHEAD)
        del self._starts[first:last]
        del self._pieces[first:last]
        for low, piece in kept:
            self.put(low, piece)

    def _copy(self, start: int, end: int) -> bytes:
        parts = []
        while start < end and (part := self.find(start, end - start)):
            parts.append(part)
            start += len(part)
        return b"".join(parts)
