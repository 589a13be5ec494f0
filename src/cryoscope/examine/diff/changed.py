"""The bytes of pages that differ: line by line for a dump, and whether a hit lies in them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.memory import Address, AddressSpace
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.diff.memory import Memory
from cryoscope.examine.diff.records import ChangedBytes
from cryoscope.examine.diff.segments import GONE, NEW
from cryoscope.examine.diff.tally import CHANGED, Span
from cryoscope.examine.search import Hit, Owner, Pattern, StreamScan, Where, search
from cryoscope.examine.search.hits import IN_PAGES

LINE = 16
"""Bytes of a line of a dump."""

BLOCK = 64 * limits.KIB


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which of the differing pages are dumped: those between these addresses."""

    start: int = 0
    end: int = 1 << 64


class Spans:
    """Every differing page of the later side, by process, to be asked by address."""

    def __init__(self, memory: Memory) -> None:
        self.by_pid: dict[int, list[Span]] = {}
        for process in memory.processes:
            rows = self.by_pid.setdefault(process.pair.new.pid, [])
            rows += [span for tally in process.mappings.values() for span in tally.spans]
        self._add_objects(memory)
        for rows in self.by_pid.values():
            rows.sort()

    def _add_objects(self, memory: Memory) -> None:
        """What is shared, at the addresses where each process maps it."""
        spans = {found.shared.number: found.tally.spans for found in memory.objects}
        for process in memory.processes:
            space = memory.sides.new.memory(process.pair.new.pid)
            for vma in space.mappings if space is not None else ():
                shift = vma.start - vma.offset
                for span in spans.get(vma.object_id or 0, ()) if vma.object_id is not None else ():
                    low, high = max(vma.start, span.start + shift), min(vma.end, span.end + shift)
                    if low < high:
                        self.by_pid[process.pair.new.pid].append(Span(low, high, span.change))

    def within(self, pid: int, low: int, high: int) -> Iterator[Span]:
        """The differing pages of a process between two addresses, cut to them."""
        rows = self.by_pid.get(pid, [])
        first = max(0, bisect_right(rows, low, key=lambda span: span.start) - 1)
        for span in rows[first:]:
            if span.start >= high:
                return
            if span.end > low:
                yield Span(max(low, span.start), min(high, span.end), span.change)


class Bytes:
    """Reads both sides of differing pages; `left_out` bytes were more than `limits.DIFF_BYTES`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._spans = Spans(memory)
        self._room = limits.DIFF_BYTES
        self.left_out = 0
        self.damaged: list[Damaged] = []

    def of(self, asked: Asked) -> Iterator[ChangedBytes]:
        """The lines that are not the same, those in a row together, by process and address."""
        sides = self._memory.sides
        for process in self._memory.processes:
            pair = process.pair
            old, new = sides.old.memory(pair.old.pid), sides.new.memory(pair.new.pid)
            if old is None or new is None:
                continue
            for span in self._spans.within(pair.new.pid, asked.start, asked.end):
                for low in range(span.start, span.end, BLOCK):
                    part = Span(low, min(span.end, low + BLOCK), span.change)
                    for found in self._part(part, old, new):
                        yield msgspec.structs.replace(found, pid=pair.new.pid, comm=pair.new.comm)

    def _part(self, span: Span, old: AddressSpace, new: AddressSpace) -> Iterator[ChangedBytes]:
        if self._room <= 0:
            self.left_out += span.end - span.start
            return
        before = self._read(old, span) if span.change != NEW else None
        after = self._read(new, span) if span.change != GONE else None
        for start, end in _lines(before, after):
            if self._room <= 0:
                self.left_out += end - start
                continue
            self._room -= end - start
            yield ChangedBytes(
                pid=0,
                comm="",
                address=Address(span.start + start),
                size=end - start,
                change=span.change,
                old=None if before is None else before[start:end].hex(),
                new=None if after is None else after[start:end].hex(),
            )

    def _read(self, space: AddressSpace, span: Span) -> bytes | None:
        try:
            return space.read(span.start, span.end - span.start)
        except CryoscopeError as error:
            self.damaged.append(Damaged(f"memory at {span.start:#x}", error.message, error.code))
            return None


def _lines(old: bytes | None, new: bytes | None) -> Iterator[tuple[int, int]]:
    """From where to where lines differ; of one side alone, those that are not zero."""
    if old is None and new is None:
        return
    size = len(old if old is not None else new or b"")
    other, zero, start = new, bytes(size), -1
    left = zero if old is None else old
    right = zero if other is None else other
    for at in range(0, size, LINE):
        differs = left[at : at + LINE] != right[at : at + LINE]
        if differs and start < 0:
            start = at
        elif not differs and start >= 0:
            yield start, at
            start = -1
    if start >= 0:
        yield start, size


def search_changed(
    memory: Memory,
    patterns: Sequence[Pattern],
    *,
    tap: StreamScan | None,
    damaged: list[Damaged],
) -> tuple[list[Hit], list[str]]:
    """The hits in pages of the later side that are changed or new, and in processes that are new there."""
    sides = memory.sides
    found = search(sides.new, patterns, where=Where(places=IN_PAGES), tap=tap, damaged=damaged)
    spans, new = Spans(memory), {process.pid for process in sides.matching.new}

    def is_new(owner: Owner, size: int) -> bool:
        inside = spans.within(owner.pid, owner.address, owner.address + size)
        return owner.pid in new or any(span.change in (CHANGED, NEW) for span in inside)

    hits = [
        msgspec.structs.replace(hit, processes=[owner for owner in hit.processes if is_new(owner, hit.size)])
        for hit in found.hits
    ]
    return [hit for hit in hits if hit.processes], list(found.notes)
