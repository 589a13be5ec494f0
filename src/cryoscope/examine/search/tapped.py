"""Scanning what is decompressed while an archive is opened: one pass instead of two.

Blocks are scanned in a thread of their own while the next ones are decompressed.  They come as the tar
has them, headers and all; which member a candidate lies in is asked when all members are known.
"""

from __future__ import annotations

import queue
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cryoscope.checkpoint.archive import Archive
from cryoscope.examine.search.engine import Engine
from cryoscope.examine.search.patterns import Pattern
from cryoscope.examine.search.sweep import BLOCK, Raw, Sink, Sweep

WAITING = 4
"""Buffers that are filled or scanned at a time."""


class Placed(NamedTuple):
    """A candidate in a member: what `shift` adds to its offsets makes those of the tar."""

    member: str
    shift: int
    raw: Raw


class StreamScan:
    """A `Tap` for `open_archive`: every tar that streams by is scanned for `patterns`."""

    def __init__(self, patterns: Sequence[Pattern], *, engine: Engine | None = None) -> None:
        self.engine = engine or Engine(patterns)
        self.sink = Sink(self.engine)
        self.interrupted = False
        self._streams: dict[int, tuple[Archive, _Stream]] = {}

    def __call__(self, archive: Archive, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """The same blocks, scanned.  An interrupt ends them: what was found until then counts."""
        stream = _Stream(self.sink)
        self._streams[id(archive)] = (archive, stream)
        try:
            for block in blocks:
                stream.put(block)
                yield block
        except KeyboardInterrupt:
            self.interrupted = True
        finally:
            stream.finish()

    def found(self, archive: Archive) -> list[Placed] | None:
        """The candidates in an archive by member; None if it did not stream by."""
        archive_and_stream = self._streams.get(id(archive))
        if archive_and_stream is None:
            return None
        stream = archive_and_stream[1]
        stream.finish()
        return [*_placed(archive, stream.sweep.raws)]


class Job(NamedTuple):
    """`filled` bytes of a buffer, which lie at `start` of the tar, to be scanned from `low` to `high`."""

    buffer: bytearray
    filled: int
    start: int
    low: int
    high: int


class _Stream:
    """One tar: blocks are copied into a few buffers that are used again, which a thread scans."""

    def __init__(self, sink: Sink) -> None:
        self.sweep = Sweep(sink)
        self._size = BLOCK + self.sweep.before + self.sweep.behind
        self._jobs: queue.Queue[Job | None] = queue.Queue()
        self._free: queue.Queue[bytearray] = queue.Queue()
        self._made = 1
        self._buffer = bytearray(self._size)
        self._filled = self._start = self._low = 0
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def put(self, block: bytes) -> None:
        """Scan a block some time later."""
        at = 0
        view = memoryview(block)
        while at < len(view):
            piece = view[at : at + self._size - self._filled]
            self._buffer[self._filled : self._filled + len(piece)] = piece
            self._filled += len(piece)
            at += len(piece)
            if self._filled == self._size:
                self._hand_over()

    def _hand_over(self) -> None:
        """Have a full buffer scanned; the next one begins with its end, as far as that is needed."""
        full, high = self._buffer, self._start + self._size - self.sweep.behind
        self._jobs.put(Job(full, self._size, self._start, self._low, high))
        away = max(0, high - self.sweep.before - self._start)
        self._buffer = self._another()
        self._buffer[: self._size - away] = memoryview(full)[away:]
        self._filled, self._start, self._low = self._size - away, self._start + away, high

    def _another(self) -> bytearray:
        if self._free.empty() and self._made < WAITING:
            self._made += 1
            return bytearray(self._size)
        return self._free.get()

    def finish(self) -> None:
        """Wait until everything is scanned; raises what the scan raised."""
        if self._thread is not None:
            end = self._start + self._filled
            self._jobs.put(Job(self._buffer, self._filled, self._start, self._low, end))
            self._jobs.put(None)
            self._thread.join()
            self._thread = None
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        scan = None
        while (job := self._jobs.get()) is not None:
            try:
                scan = scan or self.sweep.engine.scanner()
                if self._error is None:
                    data = memoryview(job.buffer)[: job.filled]
                    self.sweep.part(scan, data, job.start, job.low, job.high)
            except BaseException as error:  # raised again where the caller waits
                self._error = error
            self._free.put(job.buffer)


def _placed(archive: Archive, raws: list[Raw]) -> Iterator[Placed]:
    """Each candidate in the member that its first byte, or its last, lies in."""
    rows = sorted(
        (place, place + size, place - inside, member.name)
        for member in archive.members.values()
        if member.offset >= 0 and member.type in ("file", "other")
        for inside, place, size in (member.runs or ((0, member.offset, member.size),))
    )
    starts = [row[0] for row in rows]
    for raw in raws:
        for place in range(max(0, bisect_right(starts, raw.low) - 1), bisect_right(starts, raw.high)):
            start, end, shift, name = rows[place]
            if raw.low < end and raw.high > start:
                yield Placed(name, shift, raw)
