"""The address space of one process: mappings over pages, read by virtual address."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.memory.pages import Extent, PageIndex, State, present_bytes
from cryoscope.checkpoint.memory.vma import Vma
from cryoscope.errors import LimitExceeded, MemoryMissing

WHY_MISSING = {
    State.FILE: (
        "a page that only the mapped file holds",
        "look for the file in the rootfs diff, in volumes or devshm-checkpoint.tar, or in the image",
    ),
    State.LAZY: ("left on the source host by a lazy dump", "it is lost unless the page server kept it"),
    State.UNKNOWN: (
        "not in this checkpoint nor in its parents",
        "put the parent folder back beside it; guard pages, vvar and vsyscall are in no checkpoint",
    ),
    State.UNMAPPED: ("not mapped in this process", "`cryoscope maps` lists what is mapped"),
}


ANONYMOUS = ("anon", "heap", "stack", "shadow-stack")
"""Kinds of which CRIU dumps every page that was ever touched."""


class Run(NamedTuple):
    """A range of one state: `start` and `length` in bytes of address, and where its bytes lie.

    `member` and `offset` name the place in the archive; None and -1 where there are no bytes.
    """

    start: int
    length: int
    state: str
    member: str | None = None
    offset: int = -1


class Piece(NamedTuple):
    """A part of a mapping that no other overlaps."""

    start: int
    end: int
    vma: Vma


class AddressSpace:
    """What one process could see: its mappings, counted page by page, and their contents.

    `shared` gives the page index of a shared object (shm, memfd, shared anonymous memory) by its
    number, or None if the checkpoint does not hold it.
    """

    def __init__(
        self, vmas: list[Vma], own: PageIndex, shared: Callable[[int], PageIndex | None], page_size: int
    ) -> None:
        self.own = own
        self.page_size = page_size
        self._shared = shared
        self._bare = vmas
        self._pieces = pieces_of(vmas)
        self._starts = [piece.start for piece in self._pieces]
        self._counted: list[Vma] | None = None

    @property
    def vmas(self) -> list[Vma]:
        """The mappings with their pages counted by state (done at the first use)."""
        if self._counted is None:
            self._counted = [self._count(vma) for vma in self._bare]
        return self._counted

    @property
    def mappings(self) -> list[Vma]:
        """The mappings, their pages not counted."""
        return self._bare

    def find(self, address: int) -> Vma | None:
        """The mapping that holds `address`."""
        piece = self._piece(address)
        return piece.vma if piece is not None else None

    def _piece(self, address: int) -> Piece | None:
        index = bisect_right(self._starts, address) - 1
        if index >= 0 and address < self._pieces[index].end:
            return self._pieces[index]
        return None

    def extents(self, start: int, length: int) -> Iterator[Extent]:
        """What is known of `start` and `length` bytes on, without a gap, in address order."""
        position, end = start, start + length
        while position < end:
            piece = self._piece(position)
            if piece is None:
                stop = min(end, self._next_start(position))
                yield Extent(position, stop - position, State.UNMAPPED)
            else:
                stop = min(end, piece.end)
                yield from self._within(piece.vma, position, stop)
            position = stop

    def runs(self, start: int, length: int) -> Iterator[Run]:
        """As `extents`, with the place of the bytes as archive member and offset."""
        for extent in self.extents(start, length):
            member = extent.images.member(extent.member) if extent.images else None
            yield Run(extent.start, extent.length, extent.state, member, extent.offset)

    def read(self, start: int, length: int) -> bytes:
        """`length` bytes from address `start`.

        Raises `MemoryMissing` where even one of them is neither dumped nor known to be zero, and
        `LimitExceeded` above `limits.MEMORY_READ` bytes.
        """
        if length > limits.MEMORY_READ:
            raise LimitExceeded(
                f"{length} bytes of memory in one read", hint="read it in pieces", code="limit.memory-read"
            )
        return b"".join(self._bytes(extent) for extent in self.extents(start, length))

    def read_known(self, start: int, length: int) -> bytes:
        """The bytes from `start` up to `length` of them, as far as they are known."""
        pieces = []
        for extent in self.extents(start, min(length, limits.MEMORY_READ)):
            if extent.state in WHY_MISSING:
                break
            pieces.append(self._stored(extent))
            if len(pieces[-1]) < extent.length:
                break
        return b"".join(pieces)

    def _bytes(self, extent: Extent) -> bytes:
        if extent.state in WHY_MISSING:
            why, cure = WHY_MISSING[extent.state]
            raise MemoryMissing(
                f"memory at {extent.start:#x} is missing: {why}", hint=cure, code=f"memory.{extent.state}"
            )
        data = self._stored(extent)
        if len(data) < extent.length:
            raise MemoryMissing(
                f"memory at {extent.start + len(data):#x} is missing: {extent.member} ends too early",
                hint="the archive is truncated: take the checkpoint again",
                code="memory.truncated",
            )
        return data

    @staticmethod
    def _stored(extent: Extent) -> bytes:
        """Bytes of pages that are known, fewer where the archive is cut short."""
        if extent.images is None:
            return bytes(extent.length)
        member = extent.images.member(extent.member)
        return extent.images.archive.read_at(member, extent.offset, extent.length) if member else b""

    def _next_start(self, position: int) -> int:
        index = bisect_right(self._starts, position)
        return self._starts[index] if index < len(self._starts) else position + (1 << 64)

    def _within(self, vma: Vma, start: int, end: int) -> Iterator[Extent]:
        absent, position = self._absent(vma), start
        for extent in self._held(vma, start, end):
            if extent.start > position:
                yield Extent(position, extent.start - position, absent)
            yield extent
            position = extent.start + extent.length
        if position < end:
            yield Extent(position, end - position, absent)

    def _held(self, vma: Vma, start: int, end: int) -> Iterator[Extent]:
        index, shift = self._index_of(vma)
        if index is not None:
            for extent in index.extents(start - shift, end - shift):
                yield extent._replace(start=extent.start + shift)

    def _index_of(self, vma: Vma) -> tuple[PageIndex | None, int]:
        """The page index behind a mapping, and what to add to its addresses."""
        if vma.object_id is None:
            return self.own, 0
        return self._shared(vma.object_id), vma.start - vma.offset

    def _absent(self, vma: Vma) -> str:
        """The state of a page that no pagemap entry covers (criu/mem.c, should_dump_page)."""
        if vma.backed_by_file:
            return State.FILE
        if vma.object_id is not None:
            return State.ZERO if self._shared(vma.object_id) is not None else State.UNKNOWN
        return State.ZERO if vma.kind in ANONYMOUS else State.UNKNOWN

    def _count(self, vma: Vma) -> Vma:
        whole = self._within(vma, vma.start, vma.end)
        found = present_bytes(whole if vma.kind == "guard" else self.extents(vma.start, vma.size))
        counted = {state: -(-size // self.page_size) for state, size in found.items()}
        return msgspec.structs.replace(vma, **counted)


def pieces_of(vmas: list[Vma]) -> list[Piece]:
    """The mappings in pieces that do not overlap: guards lie inside others and cut them."""
    guards = [vma for vma in vmas if vma.kind == "guard"]
    starts = [guard.start for guard in guards]
    found = [Piece(guard.start, guard.end, guard) for guard in guards]
    for vma in vmas:
        if vma.kind != "guard":
            first = max(0, bisect_right(starts, vma.start) - 1)
            found += _between(vma, guards[first : bisect_right(starts, vma.end)])
    return sorted(found, key=lambda piece: piece.start)


def _between(vma: Vma, guards: list[Vma]) -> Iterator[Piece]:
    position: int = vma.start
    for guard in guards:
        if guard.start > position:
            yield Piece(position, min(guard.start, vma.end), vma)
        position = max(position, guard.end)
    if position < vma.end:
        yield Piece(position, vma.end, vma)
