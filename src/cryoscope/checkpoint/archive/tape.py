"""Two ways to read an archive's bytes at rising offsets: blocks that come by once, or a file.

The tar walk reads headers through a tape and never asks for the data between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from cryoscope.checkpoint.archive.source import ByteSource
from cryoscope.errors import ReadOnce

BLOCK = 1 << 20
"""Bytes that a decompressor gives at a time, and the longest read that a tape lets repeat."""

NEAREST, FARTHEST = 1 << 10, 1 << 18
"""Read-ahead of headers: little between large members, much among small ones."""


class Tape(Protocol):
    """Bytes read at rising offsets; `length` is None until the end has been seen."""

    @property
    def length(self) -> int | None: ...
    def read(self, offset: int, length: int) -> bytes: ...


class BlockTape:
    """A tape over blocks that come by once: what is skipped is dropped uncopied.

    A read may go back to the offset of the read before it if that was at most BLOCK long;
    farther back raises ReadOnce.
    """

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._start = 0
        self._window = b""
        self.length: int | None = None

    @property
    def start(self) -> int:
        """The lowest offset that can still be read."""
        return self._start

    def read(self, offset: int, length: int) -> bytes:
        """Bytes from `offset`, fewer than `length` only at the end."""
        begin = offset - self._start
        end = begin + length
        if begin >= 0 and end <= len(self._window):
            return self._window[begin:end]
        if begin < 0:
            raise ReadOnce(f"byte {offset} has gone by", hint="give a file instead of a pipe")
        self._skip(offset)
        return self._gather(offset, length)

    def _next(self) -> bytes | None:
        block = next(self._blocks, None)
        if block is None and self.length is None:
            self.length = self._start + len(self._window)
        return block

    def _skip(self, offset: int) -> None:
        while self._start + len(self._window) <= offset:
            block = self._next()
            if block is None:
                return
            self._start += len(self._window)
            self._window = block

    def _gather(self, offset: int, length: int) -> bytes:
        parts = [self._window[max(0, offset - self._start) :]]
        missing = length - len(parts[0])
        while missing > 0 and self.length is None:
            block = self._next()
            if block is not None:
                self._start += len(self._window)
                self._window = block
                parts.append(block)
                missing -= len(block)
        if len(parts) == 1:
            return parts[0][:length]
        last = parts[-1]
        if length <= BLOCK:
            self._window = b"".join(parts)
            self._start = offset
            return self._window[:length]
        parts[-1] = last[: len(last) + missing] if missing < 0 else last
        return b"".join(parts)


class FileTape:
    """A tape over a source that can be read anywhere: one read serves many headers that lie close."""

    def __init__(self, source: ByteSource) -> None:
        self._read_some = getattr(source, "read_some", None) or _exactly(source)
        self._start = 0
        self._window = b""
        self._reach = NEAREST
        self.length = source.size

    def read(self, offset: int, length: int) -> bytes:
        """Bytes from `offset`, fewer than `length` only at the end."""
        begin = offset - self._start
        end = begin + length
        if begin >= 0 and end <= len(self._window):
            return self._window[begin:end]
        return self._fetch(offset, length)

    def _fetch(self, offset: int, length: int) -> bytes:
        if self.length is not None and offset >= self.length:
            return b""
        near = offset - self._start - len(self._window) < self._reach
        self._reach = min(self._reach * 4, FARTHEST) if near else NEAREST
        self._window = self._read_some(offset, length, max(length, self._reach))
        self._start = offset
        return self._window[:length]


def _exactly(source: ByteSource) -> Callable[[int, int, int], bytes]:
    """For sources that do not mind how much is read at once: all that was thought of."""
    return lambda offset, _, most: source.read_at(offset, most)
