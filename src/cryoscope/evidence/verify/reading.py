"""Reading everything, as fast as it can be hashed, past what cannot be read."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Self

from cryoscope.checkpoint.archive import ByteSource
from cryoscope.errors import CryoscopeError

BLOCK = 1 << 20
"""Bytes that are read at once."""
CHUNK = 1 << 16
"""Bytes that are tried where a block cannot be read: a chunk of age."""
SECTOR = 512
"""Members of a tar, and so frames, begin at multiples of this."""
AHEAD = 4
"""Blocks that may wait for a hash: 4 MiB."""

Hole = tuple[int, int, str]
"""From and to, and why these bytes cannot be read."""


class Lane:
    """A thread that is handed blocks in order; a context manager that waits for it."""

    def __init__(self, take: Callable[[int, bytes], None]) -> None:
        self._take = take
        self._pool = ThreadPoolExecutor(1)
        self._waiting: deque[Future[None]] = deque()

    def put(self, offset: int, block: bytes) -> None:
        """Hand over a block; waits while too many are waiting."""
        while len(self._waiting) >= AHEAD:
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(self._take, offset, block))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=kind is not None)
        if kind is None:
            for future in self._waiting:
                future.result()


class Digest:
    """A SHA-256 of bytes in order."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()

    def take(self, _: int, block: bytes) -> None:
        self._sum.update(block)

    def hex(self) -> str:
        return self._sum.hexdigest()


def blocks(source: ByteSource, holes: list[Hole], read: Callable[[int], None]) -> Iterator[tuple[int, bytes]]:
    """Offsets and bytes of all that can be read; the rest is added to `holes`."""
    size, offset = source.size or 0, 0
    while offset < size:
        length = min(BLOCK, size - offset)
        try:
            block = source.read_at(offset, length)
            if len(block) < length:
                holes.append((offset + len(block), size, "they are not there"))
                yield offset, block
                return
            yield offset, block
        except CryoscopeError:
            yield from _around(source, offset, length, holes)
        offset += length
        read(length)


def _around(source: ByteSource, offset: int, length: int, holes: list[Hole]) -> Iterator[tuple[int, bytes]]:
    """What can be read of a block that cannot be read at once: its chunks, and bad ones up to a sector."""
    end = offset + length
    bad: Hole | None = None
    for start in range(offset, end, CHUNK):
        try:
            chunk = source.read_at(start, min(CHUNK, end - start))
        except CryoscopeError as error:
            bad = (bad or (start, 0, error.message))[0], min(start + CHUNK, end), error.message
            continue
        if bad is not None:
            yield from _edges(source, bad, holes)
        yield start, chunk
        bad = None
    if bad is not None:
        yield from _edges(source, bad, holes)


def _edges(source: ByteSource, bad: Hole, holes: list[Hole]) -> Iterator[tuple[int, bytes]]:
    """What can be read at both ends of chunks that cannot; the rest is a hole."""
    start, end, why = bad
    room = min(CHUNK, end - start)
    before = _most(partial(_starts, source, start), room)
    behind = _most(partial(_ends, source, end), min(room, end - start - before))
    if before:
        yield start, source.read_at(start, before)
    _hole(holes, start + before, end - behind, why)
    if behind:
        yield end - behind, source.read_at(end - behind, behind)


def _hole(holes: list[Hole], start: int, end: int, why: str) -> None:
    """Add a hole, or make the last one longer."""
    if holes and holes[-1][1] == start:
        start = holes.pop()[0]
    holes.append((start, end, why))


def _ends(source: ByteSource, end: int, size: int) -> bool:
    """Whether so many bytes can be read in front of an offset."""
    return _starts(source, end - size, size)


def _starts(source: ByteSource, start: int, size: int) -> bool:
    """Whether so many bytes can be read from an offset on."""
    try:
        source.read_at(start, size)
    except CryoscopeError:
        return False
    return True


def _most(reads: Callable[[int], bool], length: int) -> int:
    """How many bytes can be read at most at one end of `length` that cannot, in sectors."""
    low, high = 0, length // SECTOR
    while low < high:
        middle = (low + high + 1) // 2
        if reads(middle * SECTOR):
            low = middle
        else:
            high = middle - 1
    return low * SECTOR
