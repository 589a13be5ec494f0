"""A member as a binary file object."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from cryoscope.checkpoint.archive.member import Member
from cryoscope.errors import ArchiveError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from cryoscope.checkpoint.archive.archive import Archive


class MemberFile(io.RawIOBase):
    """Seekable and readable; the end of a member that is cut short raises ArchiveError."""

    def __init__(self, archive: Archive, member: Member) -> None:
        super().__init__()
        self._archive = archive
        self._member = member
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._member.size}[whence]
        if base + offset < 0:
            raise ValueError("seek before the beginning")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = self._archive.read_at(self._member.name, self._at, len(view))
        if not data and len(view) and self._at < self._member.size:
            raise ArchiveError(
                f"{self._member.name} is cut short at byte {self._at}",
                hint="read it in part, or take the archive again",
                code="archive.truncated",
            )
        view[: len(data)] = data
        self._at += len(data)
        return len(data)
