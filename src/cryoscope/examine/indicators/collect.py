"""Memory from end to end, once: batches that no string crosses, scanned by threads, counted in order.

UTF-16 is read as every second byte: where the bytes between are all zero, what is found there is text.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.memory import Address
from cryoscope.errors import Damaged
from cryoscope.examine.indicators.kinds import ALSO_DOMAINS, EXPRESSIONS, Check, Found
from cryoscope.examine.indicators.records import KINDS, Indicator, IndicatorsResult, Seen
from cryoscope.examine.memory.batches import Batch, batches
from cryoscope.examine.memory.reading import Reader
from cryoscope.examine.memory.regions import Region, Wanted, regions
from cryoscope.examine.search.engine import Engine, Scanner
from cryoscope.examine.search.patterns import Pattern
from cryoscope.examine.secrets.spans import matches_from
from cryoscope.text import readable

SLICE = 128 * limits.KIB
"""Bytes scanned at once: so few that no text has more candidates in them than the engine takes."""
OVERLAP = 4096
AROUND = 80
"""Bytes before and behind a match that tell what it is."""


class Hit(NamedTuple):
    """Something at byte `at` of a batch."""

    at: int
    found: Found


class _Scan:
    """Finds indicators in batches; each thread has a scanner of its own."""

    def __init__(self, kinds: Sequence[str]) -> None:
        self.kinds = frozenset(kinds)
        asked = [
            row for row in EXPRESSIONS if row[0] in kinds or ("domain" in kinds and row[0] in ALSO_DOMAINS)
        ]
        self.checks: list[Check] = [check for _, _, check in asked]
        self.engine = Engine([Pattern(kind, expression) for kind, expression, _ in asked])
        self._local = threading.local()

    def batch(self, batch: Batch) -> tuple[Batch, list[Hit]]:
        """What is in a batch, as ASCII and as UTF-16."""
        data = bytes(batch.data)
        hits = [*self.plain(data)]
        for odd in (0, 1):
            for at, found, length in self._narrow(data[odd::2]):
                place = odd + 2 * at
                if not any(data[place + 1 : place + 2 * length : 2]):
                    hits.append(Hit(place, found))
        return batch, hits

    def plain(self, data: bytes) -> Iterator[Hit]:
        """What is in some bytes as ASCII."""
        yield from (Hit(at, found) for at, found, _ in self._narrow(data))

    def _narrow(self, data: bytes) -> Iterator[tuple[int, Found, int]]:
        scan: Scanner | None = getattr(self._local, "scan", None)
        if scan is None:
            scan = self._local.scan = self.engine.scanner()
        for low in range(0, len(data), SLICE):
            start = max(0, low - OVERLAP)
            part = data[start : low + SLICE + OVERLAP]
            for index, first, last in scan(part):
                yield from self._confirmed(index, part, start, first, last, low)

    def _confirmed(
        self, index: int, part: bytes, start: int, first: int, last: int, low: int
    ) -> Iterator[tuple[int, Found, int]]:
        for match in matches_from(self.engine.programs[index].regex, part, first, last):
            at = start + match.start()
            if low <= at < low + SLICE:
                before = part[max(0, match.start() - AROUND) : match.start()]
                behind = part[match.end() : match.end() + AROUND]
                for found in self.checks[index](match[0], before, behind):
                    if found.kind in self.kinds:
                        yield at, found, len(match[0])


def indicator_scan(kinds: Sequence[str] = KINDS) -> Callable[[bytes], Iterator[Found]]:
    """What finds the indicators of some kinds in a text that is in one piece; not for several threads."""
    scan = _Scan(kinds)
    return lambda data: (hit.found for hit in scan.plain(data))


class _Counted(msgspec.Struct):
    count: int
    address: int
    note: str | None
    processes: dict[int, list[int]] = {}


class _Counter:
    """Counts by value and process."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, bytes], _Counted] = {}
        self.comms: dict[int, str] = {}
        self.left_out = 0

    def add(self, hit: Hit, region: Region, address: int) -> None:
        key = hit.found.kind, hit.found.value
        counted = self.found.get(key)
        if counted is None:
            if len(self.found) >= limits.INDICATORS:
                self.left_out += 1
                return
            counted = self.found[key] = _Counted(0, address, hit.found.note)
        counted.count += 1
        self.comms[region.pid] = region.comm
        if region.pid in counted.processes:
            counted.processes[region.pid][0] += 1
        elif len(counted.processes) < limits.INDICATOR_PROCESSES:
            counted.processes[region.pid] = [1, address]

    def indicators(self) -> list[Indicator]:
        """The most frequent first, then by kind and value."""
        order = sorted(
            self.found.items(), key=lambda item: (-item[1].count, KINDS.index(item[0][0]), item[0][1])
        )
        return [self._indicator(kind, value, counted) for (kind, value), counted in order]

    def _indicator(self, kind: str, value: bytes, counted: _Counted) -> Indicator:
        seen = [Seen(pid, self.comms[pid], n, Address(at)) for pid, (n, at) in counted.processes.items()]
        return Indicator(
            kind=kind,
            value=readable(value),
            count=counted.count,
            address=Address(counted.address),
            note=counted.note,
            processes=seen,
        )


def find_indicators(
    checkpoint: Checkpoint,
    *,
    kinds: Sequence[str] = KINDS,
    pids: Sequence[int] = (),
    progress: Callable[[int], None] | None = None,
) -> IndicatorsResult:
    """The indicators of some kinds in the memory of all processes, or of `pids`.

    `progress` is told how many bytes have been looked at.  Raises UsageError for a pid that is not there.
    """
    from cryoscope.examine.memory.strings import in_order

    scan, counter, reader = _Scan(kinds), _Counter(), Reader()
    done = 0
    wanted = regions(checkpoint, Wanted(pids=pids))
    for batch, hits in in_order(scan.batch, batches(wanted, reader)):
        for hit in hits:
            segment = batch.segments[bisect_right(batch.segments, hit.at, key=attrgetter("at")) - 1]
            counter.add(hit, segment.region, segment.address + hit.at - segment.at)
        done += len(batch.data)
        if progress is not None:
            progress(done)
    notes = list(scan.engine.notes)
    if counter.left_out:
        notes.append(
            f"{counter.left_out} more were not counted: {limits.INDICATORS} different ones are enough"
        )
    damaged: list[Damaged] = reader.damaged
    return IndicatorsResult(counter.indicators(), notes, damaged)
