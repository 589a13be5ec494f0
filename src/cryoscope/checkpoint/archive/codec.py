"""Compressed bytes to plain blocks: gzip, zstd, xz and bzip2, told by their first bytes.

RFC 1952 (gzip), RFC 8878 (zstd), the .xz file format 1.2.1, bzip2.  All of them allow several
streams one after the other; zstd has skippable frames between, tapes leave zeros behind.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from cryoscope import limits
from cryoscope.checkpoint.archive.report import Report
from cryoscope.checkpoint.archive.source import ByteSource
from cryoscope.checkpoint.archive.tape import BLOCK

FIRST_PIECE = 1 << 12
"""Input given to a stream at first; doubled as it goes on, so that tiny streams cost little."""

Progress = Callable[[int, int | None], None]


class Machine(Protocol):
    """A decompressor of one stream, as bz2, lzma, zstd and isal have it."""

    eof: bool
    needs_input: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


Kind = tuple[Callable[[], Any], tuple[Any, ...]]
"""How one kind of stream is opened (a Machine), and what its library raises."""


def _gzip() -> Kind:
    from isal import igzip_lib

    return lambda: igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP), (igzip_lib.IsalError, EOFError)


def _zstd() -> Kind:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: limits.WINDOW.bit_length() - 1}
    return lambda: zstd.ZstdDecompressor(options=options), (zstd.ZstdError, EOFError)


def _xz() -> Kind:
    import lzma

    memory = limits.WINDOW + limits.MIB
    return lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memory), (lzma.LZMAError, EOFError)


def _bzip2() -> Kind:
    import bz2

    return bz2.BZ2Decompressor, (OSError, ValueError, EOFError)


CODECS: dict[str, Callable[[], Kind]] = {"gzip": _gzip, "zstd": _zstd, "xz": _xz, "bzip2": _bzip2}

BZIP2_BLOCKS = (b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90")


def sniff(head: bytes) -> str | None:
    """The codec of bytes that begin with `head` (16 bytes are enough); None if they are not packed."""
    if head[:3] == b"\x1f\x8b\x08":
        return "gzip"
    if head[:4] == b"\x28\xb5\x2f\xfd" or (head[1:4] == b"\x2a\x4d\x18" and head[0] & 0xF0 == 0x50):
        return "zstd"
    if head[:6] == b"\xfd7zXZ\0":
        return "xz"
    if head[:3] == b"BZh" and head[3:4] in b"123456789" and head[4:10] in BZIP2_BLOCKS:
        return "bzip2"
    return None


def plain(source: ByteSource, progress: Progress | None) -> Iterator[bytes]:
    """The blocks of a source that is not compressed."""
    feed = Feed(source, progress)
    while block := feed.take(BLOCK):
        yield block


def unpack(source: ByteSource, codec: str, report: Report, progress: Progress | None) -> Iterator[bytes]:
    """Decompressed blocks of at most tape.BLOCK bytes, until the end or the first damage.

    Damage goes to the report (`archive.compression`, `archive.truncated`, `archive.trailing`,
    `limit.ratio`, `limit.decompressed`) with the offset in the compressed bytes.
    """
    make, errors = CODECS[codec]()
    feed = Feed(source, progress)
    written = 0
    while True:
        machine: Machine = make()
        try:
            for block in _stream(machine, feed):
                written += len(block)
                if excess := _excess(written, feed.position):
                    report.add("", *excess, feed.position)
                    return
                yield block
        except errors as error:
            report.add("", f"{codec}: {_reason(error)}", "archive.compression", feed.position)
            return
        if not machine.eof:
            report.add("", f"the {codec} stream is cut short", "archive.truncated", feed.position)
            return
        feed.give_back(len(machine.unused_data))
        head = feed.skip_zeros()
        if not head:
            return
        if sniff(head) != codec:
            report.add("", f"something follows the {codec} stream", "archive.trailing", feed.position)
            return


def _stream(machine: Machine, feed: Feed) -> Iterator[bytes]:
    """The blocks of one stream."""
    piece = FIRST_PIECE
    while not machine.eof:
        data = b""
        if machine.needs_input:
            data = feed.take(piece)
            piece = min(piece * 2, BLOCK)
            if not data:
                return
        if block := machine.decompress(data, BLOCK):
            yield block


def _excess(written: int, read: int) -> tuple[str, str] | None:
    """What is wrong with that many bytes out of so few, if anything."""
    if written > limits.RATIO_FLOOR and written > limits.RATIO * read:
        return f"{written} bytes out of {read}: a decompression bomb", "limit.ratio"
    if written > limits.DECOMPRESSED:
        return f"more than {limits.DECOMPRESSED} bytes when decompressed", "limit.decompressed"
    return None


def _reason(error: Exception) -> str:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    if "memory" in reason.lower():
        return f"needs more than {limits.WINDOW} bytes of memory to decompress"
    return reason


class Feed:
    """The compressed bytes in order; `position` is the offset of the next one."""

    def __init__(self, source: ByteSource, progress: Progress | None) -> None:
        self._source = source
        self._progress = progress
        self._chunk = b""
        self._start = 0
        self._at = 0

    @property
    def position(self) -> int:
        return self._start + self._at

    def take(self, length: int) -> bytes:
        """Up to `length` bytes, none only at the end."""
        if self._at == len(self._chunk):
            self._refill()
        data = self._chunk[self._at : self._at + length]
        self._at += len(data)
        return data

    def give_back(self, length: int) -> None:
        """Put back what a stream did not need of the piece taken last."""
        self._at = max(0, self._at - length)

    def skip_zeros(self) -> bytes:
        """Skip zeros and look at the 16 bytes behind them; none at the end."""
        while True:
            if self._at == len(self._chunk):
                self._refill()
            piece = self._chunk[self._at : self._at + FIRST_PIECE]
            kept = piece.lstrip(b"\0")
            self._at += len(piece) - len(kept)
            if kept or not piece:
                return self._peek(16)

    def _peek(self, length: int) -> bytes:
        if len(self._chunk) - self._at < length:
            more = self._source.read_at(self._start + len(self._chunk), BLOCK)
            self._chunk, self._start, self._at = self._chunk[self._at :] + more, self.position, 0
        return self._chunk[self._at : self._at + length]

    def _refill(self) -> None:
        self._start += len(self._chunk)
        self._chunk, self._at = self._source.read_at(self._start, BLOCK), 0
        if self._progress:
            self._progress(self._start + len(self._chunk), self._source.size)
