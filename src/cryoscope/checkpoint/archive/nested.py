"""A member of an archive as a source: the way to archives in archives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryoscope.checkpoint.archive.member import Member

if TYPE_CHECKING:
    from cryoscope.checkpoint.archive.archive import Archive


class MemberSource:
    """The bytes of one member of an open archive; `nesting` is how deep an archive in it would be."""

    def __init__(self, archive: Archive, member: Member) -> None:
        self.name = f"{archive.name}/{member.name}"
        self.size: int = member.size
        self.nesting = archive.nesting + 1
        self.seekable = archive.seekable
        self._archive = archive
        self._member = member

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes from `offset`, fewer than `length` only at the end or where the member is cut."""
        return self._archive.read_at(self._member.name, offset, length)

    def fingerprint(self) -> str | None:
        """That of the archive with the member's place in it."""
        outer, member = self._archive.fingerprint(), self._member
        return None if outer is None else f"{outer}/{member.offset}+{member.size}/{member.name}"

    def close(self) -> None:
        """Nothing: the archive is closed by who opened it."""
