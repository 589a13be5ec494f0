"""The seek table at the end of a zstd file: which frame holds which of the plain bytes.

Zstandard Seekable Format 0.1.0 (facebook/zstd, contrib/seekable_format): a skippable frame of entries
(compressed size, plain size, low 32 bits of XXH64 of the plain bytes), then the count of entries, a byte of
flags and a magic number, which are the last bytes of the file.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from cryoscope import limits
from cryoscope.checkpoint.archive.source import ByteSource
from cryoscope.errors import ArchiveError

SKIPPABLE = 0x184D2A5E
MAGIC = 0x8F92EAB1
HEAD = struct.Struct("<II")
FOOTER = struct.Struct("<IBI")
SUMS, RESERVED = 0x80, 0x7C
"""Bits of the flags: the entries have checksums; what a reader must refuse."""

LARGEST = 0xFFFFFFFF


class SeekTable:
    """Where the frames lie: `packed` and `plain` are their starts, with the end of the last one behind.

    `sums` are the checksums of the plain bytes, None where the table has none.
    """

    def __init__(
        self, packed_sizes: Sequence[int], plain_sizes: Sequence[int], sums: Sequence[int] | None
    ) -> None:
        self.packed = array("Q", accumulate(packed_sizes, initial=0))
        self.plain = array("Q", accumulate(plain_sizes, initial=0))
        self.sums = sums

    def __len__(self) -> int:
        return len(self.plain) - 1

    @property
    def size(self) -> int:
        """Plain bytes in all."""
        return self.plain[-1]

    def frame_at(self, offset: int) -> int:
        """The frame that holds a plain byte, which must exist."""
        return bisect_right(self.plain, offset) - 1

    def dump(self) -> bytes:
        """The table as the last frame of a file."""
        count = len(self)
        words = array("I", bytes(4 * 3 * count))
        for column, starts in ((0, self.packed), (1, self.plain)):
            words[column::3] = array("I", (starts[i + 1] - starts[i] for i in range(count)))
        words[2::3] = array("I", self.sums or [0] * count)
        body = _little(words).tobytes() + FOOTER.pack(count, SUMS, MAGIC)
        return HEAD.pack(SKIPPABLE, len(body)) + body


def read_table(source: ByteSource) -> SeekTable | None:
    """The table of a zstd file; None if it has none.

    Raises ArchiveError `archive.seek-table` if there is one that contradicts itself or the file, and
    `limit.frames` if there are too many frames or one is too large to be read at random.
    """
    size = source.size or 0
    if size < HEAD.size + FOOTER.size:
        return None
    tail = source.read_at(size - FOOTER.size, FOOTER.size)
    if len(tail) < FOOTER.size:
        return None
    count, flags, magic = FOOTER.unpack(tail)
    if magic != MAGIC:
        return None
    if count > limits.ZSTD_FRAMES:
        raise ArchiveError(f"has a seek table of {count} frames", code="limit.frames")
    entry = 12 if flags & SUMS else 8
    start = size - FOOTER.size - count * entry - HEAD.size
    if flags & RESERVED or start < 0:
        raise _wrong("it cannot be one")
    head = source.read_at(start, size - FOOTER.size - start)
    if head[: HEAD.size] != HEAD.pack(SKIPPABLE, count * entry + FOOTER.size):
        raise _wrong("its frame does not begin where it should")
    return _table(head[HEAD.size :], entry // 4, start)


def _table(entries: bytes, columns: int, end: int) -> SeekTable:
    words = array("I", entries)
    words = _little(words)
    packed, plain = words[0::columns], words[1::columns]
    if max(plain, default=0) > limits.ZSTD_FRAME or max(packed, default=0) > 2 * limits.ZSTD_FRAME:
        raise ArchiveError("has a frame that is too large to be read at random", code="limit.frames")
    table = SeekTable(packed, plain, words[2::3] if columns == 3 else None)
    if table.packed[-1] != end:
        raise _wrong(f"its frames have {table.packed[-1]} bytes, those of the file {end}")
    return table


def _little(words: array[int]) -> array[int]:
    if sys.byteorder == "big":
        words.byteswap()
    return words


def _wrong(why: str) -> ArchiveError:
    return ArchiveError(f"has a seek table that is wrong: {why}", code="archive.seek-table")
