"""zstd in independent frames with a seek table: compressed, and still read anywhere.

`zstd -d` opens such a file as any other.  A frame holds at most 4 MiB of plain bytes, and a large member of a
tar has frames of its own: whoever wants the small images reads nothing of the pages.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from cryoscope import limits
from cryoscope.checkpoint.archive.header import padded
from cryoscope.checkpoint.archive.member import Member, stored
from cryoscope.checkpoint.archive.seek_table import HEAD, LARGEST, SeekTable, read_table
from cryoscope.checkpoint.archive.source import ByteSource
from cryoscope.errors import ArchiveError

if TYPE_CHECKING:
    from concurrent.futures import Future

FRAME = 4 << 20
"""Plain bytes of a frame: what reading one byte costs at most."""

LARGE = 1 << 20
"""A member of this size begins and ends a frame."""

LEVEL = 1
"""zstd's own level: level 3 takes twice as long for a tenth less of memory pages."""

WORKERS = 2
KEPT = 4
"""Frames in memory, decompressed: headers on either side of one and a reader or two in pages."""

SKIPPABLE = range(0x184D2A50, 0x184D2A60)

Write = Callable[[bytes], object]


def zstd() -> Any:
    """The standard library's module, or its backport."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def cuts(members: Iterable[Member]) -> list[int]:
    """Where frames should end in a tar with these members: before and behind each large one."""
    found: set[int] = set()
    for member in members:
        size = stored(member)
        if size >= LARGE and member.offset >= 0:
            first = min((run[1] for run in member.runs), default=member.offset)
            found |= {first, first + padded(size)}
    return sorted(found)


class FrameWriter:
    """Compresses what is written to it, frame by frame, and ends it with the seek table.

    `write` gets the compressed bytes in order, on the thread that calls.  The same bytes, cuts, `frame` and
    `level` give the same output with the same zstd library, however many `workers` (threads) there are.  A
    context manager: left by an exception, the table is missing.
    """

    def __init__(
        self,
        write: Write,
        *,
        frame: int = FRAME,
        level: int = LEVEL,
        cuts: Iterable[int] = (),
        workers: int = WORKERS,
    ) -> None:
        from concurrent.futures import ThreadPoolExecutor

        if not 0 < frame <= limits.ZSTD_FRAME:
            raise ValueError(f"a frame of {frame} bytes")
        self._write = write
        self._frame = frame
        self._level = level
        self._cuts = deque(sorted(cuts))
        self._pool = ThreadPoolExecutor(workers, "frames")
        self._waiting: deque[Future[tuple[bytes, int, int]]] = deque()
        self._most = workers + 1
        self._local = threading.local()
        self._parts: list[bytes | memoryview] = []
        self._held = 0
        self._position = 0
        self._rows: list[tuple[int, int, int]] = []

    def cut_at(self, offset: int) -> None:
        """End a frame at a plain offset that has not been written yet; offsets rise."""
        if offset > self._position and (not self._cuts or offset > self._cuts[-1]):
            self._cuts.append(offset)

    def write(self, data: bytes | memoryview) -> None:
        """Append plain bytes, which must not change afterwards."""
        view = memoryview(data)
        while view:
            while self._cuts and self._cuts[0] <= self._position:
                self._cuts.popleft()
            end = self._position - self._held + self._frame
            if self._cuts:
                end = min(end, self._cuts[0])
            part, view = view[: end - self._position], view[end - self._position :]
            self._parts.append(part)
            self._held += len(part)
            self._position += len(part)
            if self._position == end:
                self._flush()

    def close(self) -> SeekTable:
        """Write what is left and the table, which is returned."""
        try:
            self._flush()
            while self._waiting:
                self._finish()
        finally:
            self.stop()
        columns = zip(*self._rows, strict=True) if self._rows else ((), (), ())
        table = SeekTable(*(list(column) for column in columns))
        self._write(table.dump())
        return table

    def stop(self) -> None:
        """End the threads; nothing more is written."""
        self._pool.shutdown(cancel_futures=True)

    def __enter__(self) -> FrameWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.stop()

    def _flush(self) -> None:
        if not self._held:
            return
        plain = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts, self._held = [], 0
        self._waiting.append(self._pool.submit(self._compress, plain))
        if len(self._waiting) > self._most:
            self._finish()

    def _finish(self) -> None:
        packed, size, check = self._waiting.popleft().result()
        self._rows.append((len(packed), size, check))
        self._write(packed)

    def _compress(self, plain: bytes | memoryview) -> tuple[bytes, int, int]:
        import xxhash

        machine = getattr(self._local, "machine", None)
        if machine is None:
            machine = self._local.machine = _compressor(self._level)
        packed = machine.compress(plain, machine.FLUSH_FRAME)
        return packed, len(plain), xxhash.xxh64_intdigest(plain) & LARGEST


def _compressor(level: int) -> Any:
    library = zstd()
    names = library.CompressionParameter
    return library.ZstdCompressor(options={names.compression_level: level, names.checksum_flag: 1})


class FramedSource:
    """The plain bytes of a zstd file with a seek table, by offset; it owns the file's source.

    Raises ArchiveError where the table is wrong (see `read_table`) or missing (`archive.seek-table`), and
    when a frame is read that is damaged (`archive.frame`) or not what the table says (`archive.seek-table`).
    """

    def __init__(self, source: ByteSource, table: SeekTable | None = None) -> None:
        table = table or read_table(source)
        if table is None:
            raise ArchiveError("has no seek table", code="archive.seek-table")
        self.name = source.name
        self.table = table
        self.size: int = table.size
        self._source = source
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def read_at(self, offset: int, length: int) -> bytes:
        """Plain bytes from `offset`, fewer than `length` only at the end; from any thread."""
        return self.read_some(offset, length, length)

    def read_some(self, offset: int, least: int, most: int) -> bytes:
        """As `read_at`, up to `most` bytes where they lie in the frames that are read for `least`."""
        if offset < 0 or least <= 0 or offset >= self.size:
            return b""
        need, end = min(self.size, offset + least), min(self.size, offset + most)
        parts = []
        while offset < need:
            place = self.table.frame_at(offset)
            begin = offset - self.table.plain[place]
            parts.append(self._plain(place)[begin : begin + end - offset])
            offset += len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def fingerprint(self) -> str | None:
        """That of the file."""
        return self._source.fingerprint()

    def close(self) -> None:
        """Forget the frames and close the file's source."""
        with self._lock:
            self._kept.clear()
        self._source.close()

    def _plain(self, place: int) -> bytes:
        with self._lock:
            if (found := self._kept.get(place)) is not None:
                self._kept.move_to_end(place)
                return found
        found = read_frame(self._source, self.table, place)
        with self._lock:
            self._kept[place] = found
            while len(self._kept) > 1 and (
                len(self._kept) > KEPT or sum(map(len, self._kept.values())) > limits.ZSTD_KEPT
            ):
                self._kept.popitem(last=False)
        return found


def read_frame(source: ByteSource, table: SeekTable, place: int) -> bytes:
    """The plain bytes of one frame; ArchiveError `archive.frame`, with its offset in the file."""
    start, size = table.packed[place], table.packed[place + 1] - table.packed[place]
    wanted = table.plain[place + 1] - table.plain[place]
    packed = source.read_at(start, size)
    if len(packed) < size:
        raise _damaged(place, start, "is cut short")
    library = zstd()
    try:
        machine = library.ZstdDecompressor(
            options={library.DecompressionParameter.window_log_max: limits.WINDOW.bit_length() - 1}
        )
        plain: bytes = machine.decompress(packed, wanted + 1)
    except (library.ZstdError, EOFError):
        raise _damaged(place, start, "does not decompress") from None
    if not machine.eof and len(plain) <= wanted:
        raise _damaged(place, start, "is cut short")
    if len(plain) != wanted or machine.unused_data:
        raise _lying(place, start, "size")
    if table.sums is not None and not _matches(plain, table.sums[place]):
        raise _lying(place, start, "checksum")
    return plain


def _matches(plain: bytes, check: int) -> bool:
    import xxhash

    return xxhash.xxh64_intdigest(plain) & LARGEST == check


def _damaged(place: int, start: int, what: str) -> ArchiveError:
    return ArchiveError(
        f"frame {place} at byte {start} {what}",
        hint="the bytes in it are lost; those in the other frames can be read",
        code="archive.frame",
    )


def _lying(place: int, start: int, what: str) -> ArchiveError:
    return ArchiveError(
        f"frame {place} at byte {start} has another {what} than the seek table says",
        hint="unpack the file with zstd -d, which does not ask the table, and open that",
        code="archive.seek-table",
    )


def framed(source: ByteSource) -> FramedSource | None:
    """A zstd file by its seek table; None if it has none.

    Raises ArchiveError (`archive.seek-table`, `limit.frames`, `limit.ratio`) where the table is not to be
    trusted: such a file can be read from its beginning, as any other.
    """
    if not source.size:
        return None
    table = read_table(source)
    if table is None:
        return None
    if table.size > limits.DECOMPRESSED:
        raise ArchiveError(f"has a seek table of {table.size} plain bytes", code="limit.decompressed")
    if table.size > limits.RATIO_FLOOR and table.size > limits.RATIO * source.size:
        raise ArchiveError(f"has a seek table of {table.size} plain bytes: a bomb", code="limit.ratio")
    _demand_sizes(source, table)
    return FramedSource(source, table)


def _demand_sizes(source: ByteSource, table: SeekTable) -> None:
    """Frames that hold nothing must be skippable, or they would hide what a reader from the start sees."""
    empty = 0
    for place in range(len(table)):
        if table.plain[place] != table.plain[place + 1]:
            continue
        empty += 1
        start, size = table.packed[place], table.packed[place + 1] - table.packed[place]
        head = source.read_at(start, HEAD.size) if empty <= limits.ZSTD_EMPTY else b""
        if len(head) < HEAD.size:
            raise ArchiveError("has a seek table with many empty frames", code="archive.seek-table")
        magic, length = HEAD.unpack(head)
        if magic not in SKIPPABLE or length + HEAD.size != size:
            raise ArchiveError(f"has a seek table that hides frame {place}", code="archive.seek-table")
