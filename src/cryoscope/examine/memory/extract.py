"""What goes into extracted files: which memory lies at which offset of which file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from cryoscope.checkpoint.memory import Address, AddressSpace, Vma
from cryoscope.checkpoint.process import Process
from cryoscope.errors import UsageError
from cryoscope.examine.memory import elf
from cryoscope.examine.memory.reading import Piece, Reader, joined

SECTIONS_NEAR = 1 << 30
"""Bytes behind what is mapped in which section headers may lie: debug information is that large."""


class Stretch(NamedTuple):
    """Memory from `start` up to `end` that goes to `offset` of a file; `vma` is None across mappings."""

    offset: int
    start: int
    end: int
    vma: Vma | None = None


class Plan(NamedTuple):
    """One file to be made of the memory of a process; of stretches that overlap the later one counts."""

    name: str
    process: Process
    space: AddressSpace
    stretches: Sequence[Stretch]
    size: int
    path: str | None = None
    notes: tuple[str, ...] = ()

    def pieces(self, reader: Reader) -> Iterator[tuple[int, Piece, Stretch]]:
        """What goes where, stretch by stretch: offset in the file, and the memory."""
        for stretch in self.stretches:
            for piece in joined(reader.pieces(self.space, stretch.start, stretch.end)):
                yield stretch.offset + piece.start - stretch.start, piece, stretch


class Skipped(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A mapping that no file was made of: nothing is known of it but `zero` bytes of zeros."""

    start: Address
    end: Address
    perms: str
    kind: str
    zero: int
    path: str | None = None


def range_plan(process: Process, space: AddressSpace, start: int, end: int) -> Plan:
    """A range of addresses, across mappings; raises `UsageError` where nothing of it is mapped."""
    if not any(vma.start < end and start < vma.end for vma in space.mappings):
        raise UsageError(
            f"nothing is mapped at {start:#x}", hint="`cryoscope maps` lists what is", code="extract.unmapped"
        )
    name = f"{process.pid}-{start:x}-{end:x}.bin"
    return Plan(name, process, space, [Stretch(0, start, end)], end - start)


def vma_plan(process: Process, space: AddressSpace, start: int) -> Plan:
    """The mapping that begins at, or holds, an address; raises `UsageError` if there is none."""
    found = [vma for vma in space.mappings if vma.kind != "guard" and vma.start <= start < vma.end]
    if not found:
        raise UsageError(
            f"no mapping holds {start:#x}", hint="`cryoscope maps` lists them", code="extract.unmapped"
        )
    return _whole(process, space, found[0])


def _whole(process: Process, space: AddressSpace, vma: Vma) -> Plan:
    name = f"{process.pid}-{vma.start:x}-{vma.end:x}-{vma.perms}.bin"
    return Plan(name, process, space, [Stretch(0, vma.start, vma.end, vma)], vma.size, vma.path)


def all_plans(process: Process, space: AddressSpace) -> tuple[list[Plan], list[Skipped]]:
    """A file a mapping of which some bytes were dumped, and the other mappings."""
    plans, skipped = [], []
    for vma in space.vmas:
        if vma.kind == "guard":
            continue
        if vma.dumped or vma.parent:
            plans.append(_whole(process, space, vma))
        else:
            skipped.append(_skipped(vma, space.page_size))
    return plans, skipped


def _skipped(vma: Vma, page_size: int) -> Skipped:
    zero = vma.zero * page_size
    return Skipped(start=vma.start, end=vma.end, perms=vma.perms, kind=vma.kind, zero=zero, path=vma.path)


def file_plan(process: Process, space: AddressSpace, path: str, source_size: int | None) -> Plan:
    """A mapped file, its pages where they were in it; raises `UsageError` if it is not mapped.

    `source_size` is that of the file itself, where it is at hand.  Else an ELF header says how
    long it was, or what is mapped does.
    """
    found = [vma for vma in space.mappings if vma.path == path and vma.kind != "guard"]
    if not found:
        raise UsageError(
            f"process {process.pid} has not mapped that file",
            hint="`cryoscope maps` lists the paths",
            code="extract.file-unknown",
        )
    written_last = sorted(found, key=lambda vma: ("w" not in vma.perms, vma.start))
    stretches = [Stretch(vma.offset, vma.start, vma.end, vma) for vma in written_last]
    mapped = max(vma.offset + vma.size for vma in found)
    head = _head(space, found)
    size, notes = (source_size, ()) if source_size is not None else _size(mapped, head)
    kind = "elf" if elf.is_elf(head) else "bin"
    name = f"{process.pid}-{min(found, key=lambda vma: vma.offset).start:x}-file.{kind}"
    return Plan(name, process, space, stretches, size, path, notes)


def _head(space: AddressSpace, vmas: Sequence[Vma]) -> bytes:
    """The first page of a file, if it is known."""
    first = next((vma for vma in vmas if vma.offset == 0), None)
    return b"" if first is None else space.read_known(first.start, min(first.size, space.page_size))


def _size(mapped: int, head: bytes) -> tuple[int, tuple[str, ...]]:
    end = elf.file_end(head)
    if end is None or not 0 < end.loaded <= mapped:
        return mapped, ("its length is not known: that of its pages is taken",)
    if end.loaded < end.sections <= mapped + SECTIONS_NEAR:
        return end.sections, ("its length is that which the ELF header says",)
    return end.loaded, ("its length is that of what the ELF header says is loaded",)
