"""Runs: bytes that lie beside each other for those who see them, wherever the archive has them.

A run is asked for the known bytes around a place: those of an address space or of a shared object end
where a page is missing or known to be zero, those of a file or a queue at its ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from cryoscope.checkpoint.memory.pages import Extent, PageIndex
from cryoscope.checkpoint.memory.space import AddressSpace

Fetch = Callable[[str, int, int], bytes]
"""Bytes of an archive's member (name, offset, length), fewer where it is cut short."""


class Piece(NamedTuple):
    """Bytes of a run: the address of the first, their number, and where they lie."""

    start: int
    length: int
    member: str
    offset: int


class Run(Protocol):
    """Bytes beside each other."""

    def between(self, low: int, high: int) -> Iterable[Piece]:
        """The known bytes between two addresses, in order."""

    def pieces(self, at: int, before: int, behind: int) -> list[Piece]:
        """The known bytes around `at`, at most `before` ahead of it and `behind` from it on, in order
        and without a gap; none if `at` is not known."""


class SpaceRun:
    """The address space of a process."""

    def __init__(self, space: AddressSpace) -> None:
        self.space = space

    def between(self, low: int, high: int) -> Iterable[Piece]:
        return known(self.space.extents(low, high - low))

    def pieces(self, at: int, before: int, behind: int) -> list[Piece]:
        return around(self.between(max(0, at - before), at + behind), at)


class ObjectRun:
    """A shared object; addresses are offsets in it."""

    def __init__(self, index: PageIndex) -> None:
        self.index = index

    def between(self, low: int, high: int) -> Iterable[Piece]:
        return known(self.index.extents(low, high))

    def pieces(self, at: int, before: int, behind: int) -> list[Piece]:
        return around(self.between(max(0, at - before), at + behind), at)


class FileRun:
    """A file that lies in a member in one piece, from `offset` on."""

    def __init__(self, member: str, offset: int, size: int) -> None:
        self.whole = Piece(0, size, member, offset)

    def between(self, low: int, high: int) -> Iterable[Piece]:
        _, size, member, offset = self.whole
        high = min(size, high)
        return [Piece(low, high - low, member, offset + low)] if low < high else []

    def pieces(self, at: int, before: int, behind: int) -> list[Piece]:
        return around(self.between(max(0, at - before), at + behind), at)


def known(extents: Iterable[Extent]) -> Iterable[Piece]:
    """The extents that have bytes."""
    for extent in extents:
        if extent.images is not None:
            member = extent.images.member(extent.member)
            if member is not None:
                yield Piece(extent.start, extent.length, member, extent.offset)


def rows(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Pieces without a gap between them together."""
    row: list[Piece] = []
    for piece in pieces:
        if row and row[-1].start + row[-1].length != piece.start:
            yield row
            row = []
        row.append(piece)
    if row:
        yield row


def around(pieces: Iterable[Piece], at: int) -> list[Piece]:
    """The row of pieces that holds `at`; none if there is none."""
    for row in rows(pieces):
        if row[0].start <= at < row[-1].start + row[-1].length:
            return row
    return []


def joined(pieces: list[Piece], fetch: Fetch) -> bytes:
    """The bytes of pieces in a row, up to where the archive is cut short."""
    parts: list[bytes] = []
    for piece in pieces:
        parts.append(fetch(piece.member, piece.offset, piece.length))
        if len(parts[-1]) < piece.length:
            break
    return b"".join(parts)
