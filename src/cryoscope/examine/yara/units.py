"""What is scanned at once: the regions of one mapping (or process), shared object, queue or file."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from typing import Any, NamedTuple

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.memory import Address
from cryoscope.examine.search import Region
from cryoscope.examine.search.hits import IN_PAGES, Mapping, Owner

GAP = 64 * limits.KIB
"""Zeros that stand for a longer gap between two regions: strings on both sides stay apart."""


class Unit:
    """Regions one after the other, with zeros where there are gaps; `size` is bytes with these."""

    def __init__(self, regions: list[Region]) -> None:
        self.regions = regions
        self.first = regions[0]
        self._starts = [0]
        for before, region in pairwise(regions):
            gap = region.start - before.start - before.size
            self._starts.append(self._starts[-1] + before.size + (min(gap, GAP) if gap > 0 else GAP))
        self.size = self._starts[-1] + regions[-1].size

    @property
    def scanned(self) -> int:
        """Bytes of the checkpoint in it."""
        return sum(region.size for region in self.regions)

    def windows(self) -> Iterator[Window]:
        """The parts that are scanned one by one, each beginning with the end of the one before it."""
        for number, start in enumerate(range(0, self.size, limits.YARA_SCAN)):
            low = max(0, start - limits.YARA_OVERLAP)
            yield Window(self, number, low, start, min(self.size, start + limits.YARA_SCAN))

    def read(self, low: int, high: int) -> bytes:
        """The bytes between two places, fewer where the archive is cut short."""
        index = max(0, bisect_right(self._starts, low) - 1)
        if high <= self._starts[index] + self.regions[index].size:
            return self.regions[index].read(low - self._starts[index], high - low)
        data = bytearray(high - low)
        for start, region in zip(self._starts[index:], self.regions[index:], strict=True):
            if start >= high:
                break
            first, last = max(low, start), min(high, start + region.size)
            if first < last:
                found = region.read(first - start, last - first)
                data[first - low : first - low + len(found)] = found
                if region is self.regions[-1] and len(found) < last - first:  # cut short: no zeros there
                    return bytes(data[: first - low + len(found)])
        return bytes(data)

    def locate(self, place: int) -> tuple[Region, int] | None:
        """The region that byte `place` is of, and its place there; None in a gap."""
        index = bisect_right(self._starts, place) - 1
        region, inside = self.regions[index], place - self._starts[index]
        return (region, inside) if inside < region.size else None


class Window(NamedTuple):
    """A part of a unit, from `low` up to `high`; what ends before `start` is in the part before it, too."""

    unit: Unit
    number: int
    low: int
    start: int
    high: int


def units(regions: Iterable[Region], *, per_process: bool) -> Iterator[Unit]:
    """The units that regions in their order are parts of."""
    numbers = iter(range(1 << 62))

    def key(region: Region) -> Any:
        if region.kind not in IN_PAGES:
            return next(numbers)
        if region.kind == "shared" or not region.owners:
            return region.kind, region.number
        owner = region.owners[0]
        return region.kind, owner.pid, None if per_process else owner.vma.start

    for _, group in groupby(regions, key):
        yield Unit(list(group))


def owners_at(checkpoint: Checkpoint, region: Region, place: int) -> list[Owner]:
    """The processes that map byte `place` of a region, with its address in each."""
    return [_moved(checkpoint, owner, place) for owner in region.owners]


def _moved(checkpoint: Checkpoint, owner: Owner, place: int) -> Owner:
    address = Address(owner.address + place)
    if owner.vma.start <= address < owner.vma.end:
        return Owner(owner.pid, owner.comm, address, owner.vma)
    space = checkpoint.memory(owner.pid)
    vma = space.find(address) if space is not None else None
    if vma is None:
        return Owner(owner.pid, owner.comm, address, owner.vma)
    return Owner(owner.pid, owner.comm, address, Mapping(vma.start, vma.end, vma.perms, vma.kind, vma.path))
