"""Members of an archive scanned where they lie, by two threads where there are two processors."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
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


def _parts(member: str, size: int) -> Iterator[Part]:
    return (Part(member, size, *part) for part in blocks(size))


class MemberScan:
    """Scans members; what was found is in `found` at any time."""

    def __init__(self, archive: Archive, sink: Sink, damaged: list[Damaged]) -> None:
        self._archive = archive
        self._sink = sink
        self._damaged = damaged
        self._sweeps: dict[str, Sweep] = {}
        self._waiting: deque[tuple[str, Iterator[Part]]] = deque()
        self._wanted: set[str] | None = None
        self._helpers: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._stop = False
        self._done = self._total = 0
        self._broken: set[str] = set()
        self._error: BaseException | None = None

    @property
    def found(self) -> list[Placed]:
        """The candidates so far, by member."""
        return [Placed(name, 0, raw) for name, sweep in self._sweeps.items() for raw in sweep.raws]

    def begin(self, members: Iterable[str], *, threads: int = 2) -> None:
        """Have members scanned by the helpers alone, until `run` tells which are wanted, or `stop`."""
        self._enter(members)
        self._help(threads)

    def run(self, members: Iterable[str], *, threads: int = 2, progress: Progress | None = None) -> None:
        """Scan members from end to end, in the order of the archive, as far as `begin` has not."""
        self._wanted = set(members)
        self._enter(members)
        self._help(threads)
        try:
            self._work(report=progress)
        finally:
            self.stop()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Scan no further; returns when nobody reads the archive any more."""
        self._stop = True
        for helper in self._helpers:
            helper.join()

    def _enter(self, members: Iterable[str]) -> None:
        """The parts of members that are not among the scanned ones yet."""
        sizes = {name: self._archive.members[name].size for name in members if name not in self._sweeps}
        for name in sorted(sizes, key=lambda name: self._archive.members[name].offset):
            self._sweeps[name] = Sweep(self._sink)
            self._waiting.append((name, _parts(name, sizes[name])))
        self._total += sum(sizes.values())

    def _help(self, threads: int) -> None:
        """As many helpers as there is work and processors for, beside the caller."""
        self._helpers = [helper for helper in self._helpers if helper.is_alive()]
        count = min(threads, len(os.sched_getaffinity(0))) if self._total > ALONE else 1
        for _ in range(count - 1 - len(self._helpers)):
            self._helpers.append(threading.Thread(target=self._work, daemon=True))
            self._helpers[-1].start()

    def _next(self) -> Part | None:
        """The next part of a member that is wanted, as far as that is known."""
        with self._lock:
            while self._waiting:
                member, parts = self._waiting[0]
                part = next(parts, None) if self._wanted is None or member in self._wanted else None
                if part is not None:
                    return part
                self._waiting.popleft()
        return None

    def _work(self, report: Progress | None = None) -> None:
        scan = self._sink.engine.scanner()
        room = memoryview(bytearray())
        while not self._stop:
            part = self._next()
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
