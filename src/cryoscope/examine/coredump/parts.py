"""A mapping in parts: where the bytes of each lie, that it is zero, or why it is missing.

A core file must not hold zeros for what nobody knows: a page that only the mapped file holds is read from
there if that file is found and is the same, everything else is left out and named.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.criu.imageset import ImageSet
from cryoscope.checkpoint.memory import AddressSpace, State, Vma
from cryoscope.checkpoint.memory.pages import Extent
from cryoscope.errors import CryoscopeError
from cryoscope.examine.coredump.backing import PAGES, Absent, Backing, Source
from cryoscope.examine.coredump.build_id import build_id
from cryoscope.examine.coredump.elf import PAGE

GUARD = Absent("guard", "guard pages have no contents")
BEHIND = Absent("behind-file", "the file ends before: nothing is there")
CUT = Absent("truncated", "the archive is cut short before these pages")
KERNEL = Absent("kernel", "the kernel's own page, which is in no checkpoint")
WHY = {
    State.LAZY: Absent("lazy", "left on the source host by a lazy dump"),
    State.UNKNOWN: Absent("not-dumped", "not in this checkpoint nor in its parents"),
}
KERNELS = ("vsyscall", "vvar")


class Part(NamedTuple):
    """`length` bytes of a mapping from `start` of one nature.

    `source` has their bytes from `offset` on, or `absent` says why nobody has; with neither they are zero.
    """

    start: int
    length: int
    source: Source | None = None
    offset: int = 0
    absent: Absent | None = None


class Parts:
    """The mappings of one process in parts."""

    def __init__(self, checkpoint: Checkpoint, pid: int, space: AddressSpace, backing: Backing) -> None:
        self.space = space
        self._checkpoint = checkpoint
        self._backing = backing
        self._images: dict[tuple[int, str], Source] = {}
        self._file_ids = _file_ids(checkpoint, pid)

    def of(self, vma: Vma) -> Iterator[Part]:
        """The parts of a mapping in the order of their addresses, without a gap."""
        for extent in self.space.extents(vma.start, vma.size):
            if extent.images is not None:
                yield from self._dumped(extent, extent.images)
            elif extent.state == State.ZERO:
                yield Part(extent.start, extent.length)
            elif extent.state == State.FILE:
                yield from self._in_file(vma, extent)
            else:
                yield Part(extent.start, extent.length, absent=self._why(vma, extent))

    def _why(self, vma: Vma, extent: Extent) -> Absent:
        inside = self.space.find(extent.start)
        if inside is not None and inside.kind == "guard":
            return GUARD
        return KERNEL if vma.kind in KERNELS else WHY.get(extent.state, WHY[State.UNKNOWN])

    def _dumped(self, extent: Extent, images: ImageSet) -> Iterator[Part]:
        """Pages whose bytes are in the archive, and those that a cut has taken."""
        key = (id(images), extent.member)
        if key not in self._images:
            self._images[key] = _pages_of(images, extent.member)
        source = self._images[key]
        there = max(0, min(extent.length, (source.size - extent.offset) // PAGE * PAGE))
        if there:
            yield Part(extent.start, there, source, extent.offset)
        if there < extent.length:
            yield Part(extent.start + there, extent.length - there, absent=CUT)

    # --- files -------------------------------------------------------------------------------
    def _in_file(self, vma: Vma, extent: Extent) -> Iterator[Part]:
        start, length = extent.start, extent.length
        file_id = self._file_ids.get(vma.start)
        found = self._backing.of(file_id or 0, lambda: self._build_id_in_memory(vma))
        if isinstance(found, Absent):
            yield Part(start, length, absent=found)
            return
        offset = vma.offset + start - vma.start
        there = max(0, min(length, -(-(found.size - offset) // PAGE) * PAGE))
        if there:
            yield Part(start, there, source=found, offset=offset)
        if there < length:
            yield Part(start + there, length - there, absent=BEHIND)

    def _build_id_in_memory(self, vma: Vma) -> bytes | None:
        """The build-id in the dumped pages of a file, where its first page was dumped."""
        first = next((v for v in self.space.mappings if v.path == vma.path and v.offset == 0), None)
        if first is None:
            return None
        base = first.start
        found = build_id(lambda offset, length: self.space.read_known(base + offset, length))
        return found.ljust(-(-len(found) // 4) * 4, b"\0") if found else None


def _file_ids(checkpoint: Checkpoint, pid: int) -> dict[int, int]:
    """Ids in files.img of the mapped files, by the address at which a mapping starts."""
    mm = checkpoint.images.first(f"mm-{pid}.img")
    entries = mm.vmas if mm is not None and mm.vmas else checkpoint.images.messages(f"vmas-{pid}.img")
    return {entry.start: entry.shmid for entry in entries}


def _pages_of(images: ImageSet, base: str) -> Source:
    """A pages image, as much of it as the archive has."""
    member = images.member(base)
    if member is None:
        return Source(base, 0, lambda _offset, _length: b"", PAGES, (0, 0, id(images), base))
    archive = images.archive
    place = (0, getattr(archive.members[member], "offset", 0), id(images), base)
    size = _reach(images, member, images.size(base))
    return Source(member, size, lambda at, length: archive.read_at(member, at, length), PAGES, place)


def _reach(images: ImageSet, member: str, size: int) -> int:
    """Bytes of a member before the archive is cut: all of them, unless its last one cannot be read.

    What a compressed archive lacks at its end is found out in passing.
    """
    if not size or images.archive.members[member].size != size or _whole(images, member, size):
        return size
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if _readable(images, member, middle) else (low, middle)
    return low


def _whole(images: ImageSet, member: str, size: int) -> bool:
    form: str = getattr(images.archive, "form", "tar")
    damaged = getattr(images.archive, "damaged", ())
    return (form not in ("tar", "folder") and not damaged) or _readable(images, member, size - 1)


def _readable(images: ImageSet, member: str, at: int) -> bool:
    try:
        return bool(images.archive.read_at(member, at, 1))
    except CryoscopeError:
        return False
