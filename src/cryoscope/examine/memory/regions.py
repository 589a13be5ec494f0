"""Which memory is asked about: mappings of processes, each shared object once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.memory import AddressSpace, Vma
from cryoscope.checkpoint.process import Process

TOP = 1 << 64
"""The end of every address space."""


class Region(NamedTuple):
    """`start` up to `end` of a mapping of process `pid`; `pids` are all that map the same object."""

    pid: int
    comm: str
    space: AddressSpace
    vma: Vma
    start: int
    end: int
    pids: tuple[int, ...] = ()


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to look at: nothing given is everything.

    `kinds` are those of `Vma.kind`; `perms` are letters that a mapping must have, or all four as
    /proc/PID/maps writes them; `start` and `end` are addresses.
    """

    pids: Sequence[int] = ()
    kinds: Sequence[str] = ()
    perms: str = ""
    start: int = 0
    end: int = TOP

    def takes(self, vma: Vma) -> bool:
        """Whether a mapping, or a part of it, is wanted.  Guards lie inside of others."""
        if vma.kind == "guard" or (self.kinds and vma.kind not in self.kinds):
            return False
        exact = len(self.perms) == len(vma.perms)
        fits = vma.perms == self.perms if exact else all(letter in vma.perms for letter in self.perms)
        return fits and vma.start < self.end and self.start < vma.end

    def of(self, process: Process) -> bool:
        """Whether a process is wanted."""
        return not self.pids or process.pid in self.pids


def regions(checkpoint: Checkpoint, wanted: Wanted) -> list[Region]:
    """Private memory by process, in address order; behind it the shared objects, each byte once.

    A page of a shared object has the address at which the first of the wanted processes sees it.
    Raises `UsageError` for a pid that is not there.
    """
    for pid in wanted.pids:
        checkpoint.process(pid)
    private: list[Region] = []
    objects: dict[int, list[Region]] = {}
    for process, vma, space in _mappings(checkpoint, wanted):
        low, high = max(vma.start, wanted.start), min(vma.end, wanted.end)
        region = Region(process.pid, process.comm, space, vma, low, high, (process.pid,))
        if vma.object_id is None:
            private.append(region)
        else:
            objects.setdefault(vma.object_id, []).append(region)
    return private + [region for found in _shared(checkpoint, objects) for region in found]


def _mappings(checkpoint: Checkpoint, wanted: Wanted) -> Iterator[tuple[Process, Vma, AddressSpace]]:
    for branch in checkpoint.tree:
        space = checkpoint.memory(branch.process.pid) if wanted.of(branch.process) else None
        if space is not None:
            yield from ((branch.process, vma, space) for vma in space.mappings if wanted.takes(vma))


def _shared(checkpoint: Checkpoint, objects: dict[int, list[Region]]) -> Iterator[list[Region]]:
    if not objects:
        return
    holders: dict[int, dict[int, None]] = {number: {} for number in objects}
    for process, vma, _ in _mappings(checkpoint, Wanted()):
        if vma.object_id in holders:
            holders[vma.object_id][process.pid] = None
    for number, found in objects.items():
        yield list(_once(found, tuple(holders[number])))


def _once(found: list[Region], pids: tuple[int, ...]) -> Iterator[Region]:
    """Each byte of an object in the mapping that begins lowest in it."""
    covered = 0
    for region in sorted(found, key=_offset):
        low = region.start + max(0, covered - _offset(region))
        if low < region.end:
            yield region._replace(start=low, pids=pids)
            covered = _offset(region) + region.end - region.start


def _offset(region: Region) -> int:
    """Where in its object a region begins."""
    return region.vma.offset + region.start - region.vma.start
