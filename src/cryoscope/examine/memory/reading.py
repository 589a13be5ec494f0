"""Memory in address order, in blocks, with the reason where there are no bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cryoscope import limits
from cryoscope.checkpoint.memory import AddressSpace
from cryoscope.checkpoint.memory.pages import Extent
from cryoscope.checkpoint.memory.space import WHY_MISSING
from cryoscope.errors import CryoscopeError, Damaged

BLOCK = 1 * limits.MIB
"""Bytes read at once: it and what is made of it fit a processor's cache."""

TRUNCATED = "truncated"
"""The state of pages whose bytes the archive should hold and does not."""

REASONS = {state: why for state, (why, _) in WHY_MISSING.items()} | {
    TRUNCATED: "the archive is damaged or ends before it"
}


class Piece(NamedTuple):
    """`length` bytes of address from `start` on, at most `BLOCK` of them with `data`.

    Without `data` they are zero (`state` says `zero`) or missing (one of `REASONS`).  `member` and
    `offset` say where in the archive `data` lies.
    """

    start: int
    length: int
    state: str
    data: memoryview | None = None
    member: str | None = None
    offset: int = -1

    @property
    def end(self) -> int:
        return self.start + self.length


class Reader:
    """Reads memory; what is damaged is collected in `damaged`, once a pages image."""

    def __init__(self) -> None:
        self.damaged: list[Damaged] = []
        self._ends: dict[tuple[int, str], int] = {}

    def pieces(self, space: AddressSpace, start: int, end: int) -> Iterator[Piece]:
        """All of `start` up to `end`, without a gap; never raises for what an archive holds."""
        for group in _groups(_blocks(space.extents(start, end - start))):
            if group[0].images is None:
                yield from (Piece(extent.start, extent.length, extent.state) for extent in group)
            else:
                yield from self._split(group, self._read(group))

    def _split(self, group: list[Extent], data: memoryview) -> Iterator[Piece]:
        """One read, given back as the extents that lie in it back to back."""
        images = group[0].images
        member = images.member(group[0].member) if images is not None else None
        for extent in group:
            at = extent.offset - group[0].offset
            part = data[at : at + extent.length]
            if len(part):
                yield Piece(extent.start, len(part), extent.state, part, member, extent.offset)
            if len(part) < extent.length:
                yield Piece(extent.start + len(part), extent.length - len(part), TRUNCATED)

    def _read(self, group: list[Extent]) -> memoryview:
        images, name, offset = group[0].images, group[0].member, group[0].offset
        length = group[-1].offset + group[-1].length - offset
        key = (id(images), name)
        if images is None or offset >= self._ends.get(key, offset + 1):
            return memoryview(b"")
        member, data = images.member(name), b""
        problem = CryoscopeError("ends too early, or is not there", code="memory.truncated")
        try:
            data = images.archive.read_at(member, offset, length) if member else b""
        except CryoscopeError as error:
            problem = error
        if len(data) < length:
            self._damage(key, offset + len(data), member or images.prefix + name, problem)
        return memoryview(data)

    def _damage(self, key: tuple[int, str], end: int, part: str, problem: CryoscopeError) -> None:
        """What is behind is not tried again: it would be unpacked each time up to where it breaks."""
        if key not in self._ends:
            self.damaged.append(Damaged(part, f"{problem.message}: memory is missing", problem.code, end))
        self._ends[key] = min(end, self._ends.get(key, end))


def joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same, with neighbours that lack bytes for the same reason in one."""
    last: Piece | None = None
    for piece in pieces:
        if last is not None and piece.data is None and piece.state == last.state:
            last = last._replace(length=last.length + piece.length)
            continue
        if last is not None:
            yield last
        last = piece if piece.data is None else None
        if last is None:
            yield piece
    if last is not None:
        yield last


def _blocks(extents: Iterable[Extent]) -> Iterator[Extent]:
    """Extents with bytes in parts of at most `BLOCK`."""
    for extent in extents:
        if extent.images is None or extent.length <= BLOCK:
            yield extent
            continue
        for at in range(0, extent.length, BLOCK):
            length = min(BLOCK, extent.length - at)
            yield extent._replace(start=extent.start + at, length=length, offset=extent.offset + at)


def _groups(extents: Iterable[Extent]) -> Iterator[list[Extent]]:
    """Extents whose bytes lie back to back in one member, up to `BLOCK` of them."""
    group: list[Extent] = []
    size = 0
    for extent in extents:
        if group and not (_follows(group[-1], extent) and size + extent.length <= BLOCK):
            yield group
            group, size = [], 0
        group.append(extent)
        size += extent.length
    if group:
        yield group


def _follows(one: Extent, other: Extent) -> bool:
    if one.images is None or one.images is not other.images:
        return False
    return one.member == other.member and one.offset + one.length == other.offset
