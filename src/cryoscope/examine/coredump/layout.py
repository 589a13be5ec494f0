"""What of the address space becomes which segment, and where its bytes lie in the core file.

A segment is a row of known pages of one mapping.  Zeros within are holes of the file; a long row of them
ends the bytes of its segment instead, for ELF reads what is behind those as zero.  So does gdb 13, which is
why a missing page is in no segment at all.
"""

from __future__ import annotations

from typing import NamedTuple

from cryoscope import limits
from cryoscope.checkpoint.memory import Vma
from cryoscope.errors import LimitExceeded
from cryoscope.examine.coredump.backing import PAGES, Absent, Place, Source
from cryoscope.examine.coredump.elf import PAGE, PF_R, PF_W, PF_X, Segment
from cryoscope.examine.coredump.parts import Part, Parts

FLAGS = (PF_R, PF_W, PF_X)


class Lost(NamedTuple):
    """Bytes of a mapping that are left out."""

    vma: Vma
    absent: Absent
    size: int


class Taken(NamedTuple):
    """Bytes of a mapping that come from a file instead of the checkpoint's pages."""

    vma: Vma
    source: Source
    size: int


class Layout:
    """The segments of one process, with offsets from where the data begin; raises `LimitExceeded`."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.segments: list[Segment] = []
        self.lost: list[Lost] = []
        self.taken: list[Taken] = []
        self.work: list[tuple[Place, int]] = []
        self.vmas = [
            vma for vma in parts.space.mappings if vma.kind != "guard" and not (vma.start | vma.end) % PAGE
        ]
        self.first: list[int] = []
        self.size = 0
        self.stored = 0
        for index, vma in enumerate(self.vmas):
            self.first.append(len(self.segments))
            self._add(index, vma)
        self.first.append(len(self.segments))

    def _add(self, index: int, vma: Vma) -> None:
        lost: dict[Absent, int] = {}
        taken: dict[Source, int] = {}
        row = _Row(self, _flags(vma), limits.CORE_FILE_HOLE if vma.path else limits.CORE_HOLE)
        for part in self.parts.of(vma):
            if part.absent is not None:
                lost[part.absent] = lost.get(part.absent, 0) + part.length
            if part.source is not None:
                taken[part.source] = taken.get(part.source, 0) + part.length
            row.take(part)
            self._count(part)
        row.end()
        self.lost += [Lost(vma, absent, size) for absent, size in lost.items()]
        self.taken += [Taken(vma, source, size) for source, size in taken.items() if source.checked != PAGES]
        self.work += sorted({(source.place, index) for source in taken})

    def _count(self, part: Part) -> None:
        """Many mappings may show the same pages: what is written is bounded, not what is read."""
        self.stored += part.length if part.source else 0
        if self.stored > limits.CORE_BYTES:
            raise LimitExceeded(
                f"the memory has more than {limits.CORE_BYTES} bytes of contents", code="limit.core-bytes"
            )

    def segment(self, segment: Segment) -> None:
        """Enter the next segment."""
        if len(self.segments) >= limits.CORE_SEGMENTS:
            raise LimitExceeded(
                f"the memory is in more than {limits.CORE_SEGMENTS} pieces", code="limit.core-segments"
            )
        self.segments.append(segment)
        self.size += segment.filled

    def segments_of(self, index: int) -> list[Segment]:
        """The segments of the mapping with this number."""
        return self.segments[self.first[index] : self.first[index + 1]]


class _Row:
    """The segment that is being put together."""

    def __init__(self, layout: Layout, flags: int, hole: int) -> None:
        self._layout = layout
        self._flags = flags
        self._hole = hole
        self._start = self._size = self._filled = 0

    def take(self, part: Part) -> None:
        """The next part of the mapping."""
        if part.absent is not None:
            self.end()
            return
        zero = part.source is None
        if zero and (part.length > self._hole or self._layout.size + self._filled > limits.CORE_SIZE):
            self._grow(part, 0)
            return
        if self._filled < self._size:
            self.end()
        self._grow(part, part.length)

    def _grow(self, part: Part, filled: int) -> None:
        if not self._size:
            self._start = part.start
        self._size += part.length
        self._filled += filled

    def end(self) -> None:
        """Enter the segment, if there is any."""
        if self._size:
            at = self._layout.size
            self._layout.segment(Segment(self._start, self._size, self._filled, self._flags, at))
        self._size = self._filled = 0


def _flags(vma: Vma) -> int:
    return sum(flag for flag, letter in zip(FLAGS, vma.perms, strict=False) if letter != "-")
