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
from cryoscope.examine.search.engine import Engine, Scanner
from cryoscope.examine.search.patterns import Pattern
from cryoscope.examine.search.sweep import Raw, Sink, Sweep

WAITING = 4
"""Blocks that wait or are scanned at a time."""

SEAMS = 8
"""Bytes scanned together, in lengths of what is scanned twice at each end of them."""


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


class _Stream:
    """One tar: a thread scans its blocks where they are, and what lies across two of them once more.

    Nothing is copied but the ends of blocks: to write a block into a buffer of one's own costs a
    third of what decompressing it does.
    """

    def __init__(self, sink: Sink) -> None:
        self.sweep = Sweep(sink)
        self._seam = self.sweep.before + self.sweep.behind
        self._blocks: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(WAITING)
        self._group: list[bytes] = []
        self._grouped = self._start = 0
        self._tail = b""
        self._scan: Scanner | None = None
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def put(self, block: bytes) -> None:
        """Scan a block some time later."""
        self._room.acquire()
        self._blocks.put(block)

    def finish(self) -> None:
        """Wait until everything is scanned; raises what the scan raised."""
        if self._thread is not None:
            self._blocks.put(None)
            self._thread.join()
            self._thread = None
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        block: bytes | None = b""
        while block is not None:
            block = self._blocks.get()
            try:
                if self._error is None:
                    self._take(block)
            except BaseException as error:  # raised again where the caller waits
                self._error = error
            self._room.release()

    def _take(self, block: bytes | None) -> None:
        """Scan a block; small ones wait until they are many times as long as what is scanned twice."""
        if block is None:
            self._last()
            return
        self._group.append(block)
        self._grouped += len(block)
        if self._grouped >= SEAMS * self._seam:
            self._whole(self._joined())

    def _joined(self) -> bytes:
        group, self._group, self._grouped = self._group, [], 0
        return group[0] if len(group) == 1 else b"".join(group)

    def _whole(self, data: bytes) -> None:
        """Scan the seam to what came before `data`, then what is inside of it."""
        start, end = self._start, self._start + len(data)
        low = start + self.sweep.before if self._tail else 0
        if self._tail:
            seam = self._tail + data[: self._seam]
            self._part(seam, start - len(self._tail), start - self.sweep.behind, low)
        self._part(data, start, low, end - self.sweep.behind)
        self._start, self._tail = end, data[-self._seam :]

    def _last(self) -> None:
        """Scan what is left at the end."""
        data = self._tail + self._joined()
        low = self._start - self.sweep.behind if self._tail else 0
        start = self._start - len(self._tail)
        self._part(data, start, low, start + len(data))

    def _part(self, data: bytes, start: int, low: int, high: int) -> None:
        self._scan = self._scan or self.sweep.engine.scanner()
        self.sweep.part(self._scan, data, start, low, high)


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
