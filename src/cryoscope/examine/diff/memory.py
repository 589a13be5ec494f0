"""Memory page by page: of processes that are in both, and of the objects that they share, once.

Pages are compared by address, so only where an address means the same on both sides (`match`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.memory import AddressSpace, PageIndex, Vma
from cryoscope.errors import Damaged
from cryoscope.examine.diff.aspect import Sides
from cryoscope.examine.diff.hashing import UNIT, PageHashes
from cryoscope.examine.diff.match import Pair
from cryoscope.examine.diff.objects import Shared, shared_objects
from cryoscope.examine.diff.pages import Job, Place, Progress, Side, verdicts
from cryoscope.examine.diff.records import MappingPages, MemoryDifference, ObjectPages, ProcessPages
from cryoscope.examine.diff.segments import (
    COMPARE,
    UNKNOWN,
    Segment,
    View,
    object_extents,
    ranges,
    segments,
)
from cryoscope.examine.diff.tally import Tally, added

JOB = 4 * limits.MIB
"""Bytes that one thread compares at a time."""


class OfProcess(NamedTuple):
    """A process that is in both: a tally for each of its mappings."""

    pair: Pair
    page_size: int
    mappings: dict[Vma, Tally]


class OfObject(NamedTuple):
    """A shared object that is in both."""

    shared: Shared
    tally: Tally


class Memory:
    """The comparison: `record` is what it gives, the tallies hold every page that differs."""

    def __init__(self, sides: Sides, hashes: tuple[PageHashes | None, PageHashes | None]) -> None:
        self.sides = sides
        self.processes: list[OfProcess] = []
        self.objects: list[OfObject] = []
        self._old, self._new = Side(hashes[0]), Side(hashes[1])
        self._work = _Work()

    @property
    def damaged(self) -> tuple[list[Damaged], list[Damaged]]:
        """What could not be read of either side."""
        return self._old.damaged, self._new.damaged

    def compare(self, progress: Progress | None = None) -> MemoryDifference:
        """Compare everything."""
        for pair in self.sides.matching.pairs:
            self._lay_out(pair)
        for shared in shared_objects(self.sides):
            self._lay_out_object(shared)
        self._work.finish()
        jobs = self._work.jobs
        for number, verdict in verdicts(self._old, self._new, jobs, progress):
            unit = 0
            for tally, segment in self._work.parts[number]:
                tally.judge(segment, verdict, unit)
                unit += segment.length // UNIT
        return self._record()

    # --- what there is to compare -----------------------------------------------------------
    def _lay_out(self, pair: Pair) -> None:
        old, new = self.sides.old.memory(pair.old.pid), self.sides.new.memory(pair.new.pid)
        if old is None or new is None:
            return
        why = _cannot(pair, old, new)
        if why:
            self.sides.note(f"memory of {pair.new.pid}/{pair.new.comm}: {why}; not compared")
            return
        before = View(old, doubtful=_doubtful(self.sides.old, old.own))
        after = View(new, doubtful=_doubtful(self.sides.new, new.own))
        found = OfProcess(pair, new.page_size, {})
        for part in ranges(old.mappings, new.mappings):
            tally = found.mappings.setdefault(part.vma, Tally(new.page_size))
            pages = segments(before.extents(part.start, part.end), after.extents(part.start, part.end))
            self._work.take(tally, pages)
        self.processes.append(found)

    def _lay_out_object(self, shared: Shared) -> None:
        old, new, size = shared.old, shared.new, self.sides.new.page_size
        end = max(_end(old), _end(new))
        tally = Tally(size)
        pages = segments(
            object_extents(old, end, doubtful=_doubtful(self.sides.old, old)),
            object_extents(new, end, doubtful=_doubtful(self.sides.new, new)),
        )
        self._work.take(tally, pages)
        self.objects.append(OfObject(shared, tally))

    # --- what came out ----------------------------------------------------------------------
    def _record(self) -> MemoryDifference:
        processes = [_process(found) for found in self.processes]
        objects = [_object(found) for found in self.objects]
        total = added([*(one.pages for one in processes), *(one.pages for one in objects)])
        return MemoryDifference(processes=processes, objects=objects, total=total)


class _Work:
    """The jobs, and whose pages each of them compares."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.parts: list[list[tuple[Tally, Segment]]] = []
        self._first: Segment | None = None
        self._size = 0

    def take(self, tally: Tally, pages: Iterable[Segment]) -> None:
        """Count what needs no comparing, and put the rest to the jobs."""
        for segment in pages:
            if segment.what != COMPARE:
                tally.say(segment)
            elif (segment.address | segment.length) % tally.page_size:
                tally.say(segment._replace(what=UNKNOWN))
            else:
                for part in _parts(segment):
                    self._add(tally, part)

    def _add(self, tally: Tally, part: Segment) -> None:
        """Put a part to the last job if both sides go on where that ends."""
        size = self._size
        if size + part.length > JOB or not _goes_on(self._first, size, part):
            self.finish()
            self._first, size = part, 0
            self.parts.append([])
        self._size = size + part.length
        self.parts[-1].append((tally, part))

    def finish(self) -> None:
        """Close the last job."""
        if self._first is not None:
            self.jobs.append(Job(self._first.old, self._first.new, self._size))
        self._first, self._size = None, 0


def _parts(segment: Segment) -> Iterator[Segment]:
    """A row of pages in parts of at most a job."""
    if segment.length <= JOB:
        yield segment
        return
    for at in range(0, segment.length, JOB):
        length = min(JOB, segment.length - at)
        old, new = _further(segment.old, at), _further(segment.new, at)
        yield segment._replace(address=segment.address + at, length=length, old=old, new=new)


def _further(place: Place | None, by: int) -> Place | None:
    return None if place is None else place._replace(offset=place.offset + by)


def _goes_on(first: Segment | None, size: int, part: Segment) -> bool:
    """Whether a part begins on both sides `size` bytes behind the first one."""
    return first is not None and _follows(first.old, size, part.old) and _follows(first.new, size, part.new)


def _follows(one: Place | None, length: int, other: Place | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.images is other.images and one.member == other.member and one.offset + length == other.offset


def _cannot(pair: Pair, old: AddressSpace, new: AddressSpace) -> str:
    """Why the pages of a process cannot be compared; empty if they can."""
    if not pair.same_places:
        return "it lies at other addresses"
    if old.page_size != new.page_size:
        return f"pages of {old.page_size} and of {new.page_size} bytes"
    return ""


def _doubtful(checkpoint: Checkpoint, index: PageIndex | None) -> bool:
    """Whether a page map may say less than was dumped: it is lost, or damaged."""
    if index is None or index.name not in checkpoint.images:
        return True
    member = checkpoint.images.member(index.name)
    return any(found.part == member for found in checkpoint.damaged)


def _end(index: PageIndex | None) -> int:
    """Behind the last page that a page map names."""
    if index is None or not len(index):
        return 0
    return int(index.vaddr[-1]) + int(index.count[-1]) * index.page_size


def _process(found: OfProcess) -> ProcessPages:
    pair = found.pair
    return ProcessPages(
        pid=pair.new.pid,
        comm=pair.new.comm,
        page_size=found.page_size,
        pages=added([tally.pages for tally in found.mappings.values()]),
        pid_before=pair.old.pid if pair.old.pid != pair.new.pid else None,
        mappings=[
            _mapping(vma, tally)
            for vma, tally in found.mappings.items()
            if tally.pages.differing or tally.pages.unknown
        ],
    )


def _mapping(vma: Vma, tally: Tally) -> MappingPages:
    runs, more = tally.runs()
    return MappingPages(
        start=vma.start, end=vma.end, perms=vma.perms, kind=vma.kind, path=vma.path,
        pages=tally.pages, runs=runs, more=more,
    )  # fmt: skip


def _object(found: OfObject) -> ObjectPages:
    shared, (runs, more) = found.shared, found.tally.runs()
    return ObjectPages(
        object=shared.number,
        object_before=shared.number_before if shared.number_before != shared.number else None,
        kind=shared.kind,
        path=shared.path,
        pids=shared.pids,
        pages=found.tally.pages,
        runs=runs,
        more=more,
    )
