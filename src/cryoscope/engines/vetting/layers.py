"""A tar inside the archive, walked once from its first entry to its last and never kept.

Two things are told here that an `Archive` forgets: which names were absolute, and the folder that is the
root.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive, Member
from cryoscope.checkpoint.archive.codec import sniff, unpack
from cryoscope.checkpoint.archive.header import POSIX, HeaderReader
from cryoscope.checkpoint.archive.member import extents
from cryoscope.checkpoint.archive.report import Report
from cryoscope.checkpoint.archive.tape import BlockTape, FileTape
from cryoscope.checkpoint.archive.walk import Walker
from cryoscope.checkpoint.archive.writer import ROOT
from cryoscope.errors import ArchiveError, Damaged, LimitExceeded

BLOCK = 1 << 20


class Layer:
    """The entries of the tar in the member `name`, in its order; iterate once.

    `codec` is how it is packed (None: plain), `absolute` the offsets of entries whose names began at the
    root, `damaged` what could not be read so far.
    """

    def __init__(self, archive: Archive, name: str) -> None:
        source = archive.source(name)
        self.name = name
        self.absolute: set[int] = set()
        self._report = Report(name)
        self.codec = sniff(source.read_at(0, 16))
        packed = self.codec is not None
        self._tape = (
            BlockTape(unpack(source, self.codec or "", self._report, None)) if packed else FileTape(source)
        )
        self._walker = _Walker(self._tape, self._report, self.absolute)

    @property
    def damaged(self) -> list[Damaged]:
        return self._report.records

    def __iter__(self) -> Iterator[Member]:
        yield from self._walker
        if not self._walker.is_tar:
            raise ArchiveError(f"{self.name} is no tar", code="archive.unreadable")

    def blocks(self, member: Member) -> Iterator[bytes]:
        """The bytes of the entry that was given last, holes as zeros.

        Raises ArchiveError where the tar is cut short, LimitExceeded past `limits.VETTING_INNER`.
        """
        if member.offset < 0 or member.size > limits.VETTING_INNER:
            raise LimitExceeded(f"{self.name}: an entry of {member.size} bytes", code="limit.vetting-inner")
        at = 0
        for start, place, size in extents(member, 0, member.size):
            yield from _zeros(start - at)
            yield from self._stretch(place, size)
            at = start + size
        yield from _zeros(member.size - at)

    def _stretch(self, place: int, size: int) -> Iterator[bytes]:
        while size:
            data = self._tape.read(place, min(size, BLOCK))
            if not data:
                raise ArchiveError(f"{self.name} is cut short", code="archive.truncated")
            yield data
            place, size = place + len(data), size - len(data)


def _zeros(count: int) -> Iterator[bytes]:
    while count > 0:
        yield bytes(min(count, BLOCK))
        count -= BLOCK


class _Walker(Walker):
    """The walk, with what is said of names before they are normalised."""

    def __init__(self, tape: BlockTape | FileTape, report: Report, absolute: set[int]) -> None:
        super().__init__(tape, report)
        self._absolute = absolute
        self._headers = _Headers(report, absolute)

    def _extended(self, member: Member, block: bytes) -> tuple[Member, int]:
        path = self._local.get("path") or self._global.get("path") or b""
        if path:
            self._absolute.discard(member.offset)
        if path.startswith(b"/"):
            self._absolute.add(member.offset)
        return super()._extended(member, block)


class _Headers(HeaderReader):
    def __init__(self, report: Report, absolute: set[int]) -> None:
        super().__init__(report)
        self._absolute = absolute

    def read(self, block: bytes, offset: int) -> Member:
        member = super().read(block, offset)
        prefixed = block[345] and block[257:263] == POSIX
        if block[345 if prefixed else 0] == ord("/"):
            self._absolute.add(offset)
        if not member.name and member.type == "directory":
            return msgspec.structs.replace(member, name=ROOT)
        return member
