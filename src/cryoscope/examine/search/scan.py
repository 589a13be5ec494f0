"""Members of an archive scanned where they lie, by two threads where there are two processors."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from cryoscope.checkpoint.archive import Archive
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.search.engine import Scanner
from cryoscope.examine.search.sweep import BLOCK, Sink, Sweep, blocks, read_part
from cryoscope.examine.search.tapped import Placed

Progress = Callable[[int, int | None], None]
"""Called with the bytes scanned and those to scan."""

ALONE = 8 * BLOCK
"""Bytes below which a second thread costs more than it saves."""


class Part(NamedTuple):
    """A part of a member."""

    member: str
    size: int
    low: int
    high: int


class MemberScan:
    """Scans members; what was found is in `found` at any time."""

    def __init__(
        self, archive: Archive, sink: Sink, damaged: list[Damaged], progress: Progress | None = None
    ) -> None:
        self._archive = archive
        self._sink = sink
        self._damaged = damaged
        self._progress = progress
        self._sweeps: dict[str, Sweep] = {}
        self._parts: Iterator[Part] = iter(())
        self._lock = threading.Lock()
        self._stop = False
        self._done = self._total = 0
        self._broken: set[str] = set()
        self._error: BaseException | None = None

    @property
    def found(self) -> list[Placed]:
        """The candidates so far, by member."""
        return [Placed(name, 0, raw) for name, sweep in self._sweeps.items() for raw in sweep.raws]

    def run(self, members: Sequence[str], *, threads: int = 2) -> None:
        """Scan members from end to end, in the order of the archive."""
        sizes = {name: self._archive.members[name].size for name in members}
        order = sorted(sizes, key=lambda name: self._archive.members[name].offset)
        self._sweeps = {name: Sweep(self._sink) for name in order}
        self._total = sum(sizes.values())
        self._parts = (Part(name, sizes[name], *part) for name in order for part in blocks(sizes[name]))
        count = min(threads, len(os.sched_getaffinity(0))) if self._total > ALONE else 1
        helpers = [threading.Thread(target=self._work, daemon=True) for _ in range(count - 1)]
        try:
            for helper in helpers:
                helper.start()
            self._work(report=self._progress)
        finally:
            self._stop = True
            for helper in helpers:
                helper.join()
        if self._error is not None:
            raise self._error

    def _work(self, report: Progress | None = None) -> None:
        scan = self._sink.engine.scanner()
        room = memoryview(bytearray())
        while not self._stop:
            with self._lock:
                part = next(self._parts, None)
            if part is None:
                return
            try:
                room = self._scan(part, scan, room)
            except CryoscopeError as error:
                self._fail(part, error)
            except Exception as error:  # a helper's is raised where the caller waits
                self._error, self._stop = error, True
            if report is not None:
                report(self._done, self._total)

    def _scan(self, part: Part, scan: Scanner, room: memoryview) -> memoryview:
        """Scan a part; `room` is memory to read into, and comes back, larger if it had to be."""
        sweep = self._sweeps[part.member]
        if len(room) < (needed := BLOCK + sweep.before + sweep.behind):
            room = memoryview(bytearray(needed))

        def read(offset: int, length: int) -> memoryview:
            return room[: self._archive.read_into(part.member, offset, room[:length])]

        if part.member not in self._broken:
            read_part(sweep, scan, read, part.size, part.low, part.high)
        self._done += part.high - part.low
        return room

    def _fail(self, part: Part, error: CryoscopeError) -> None:
        """Name a member that cannot be read, once."""
        with self._lock:
            if part.member not in self._broken:
                self._broken.add(part.member)
                self._damaged.append(Damaged(part.member, error.message, error.code, part.low))
