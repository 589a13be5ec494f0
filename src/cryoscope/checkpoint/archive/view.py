"""A part of an archive as an archive of its own: the parent images that Podman puts beside the child."""

from __future__ import annotations

import msgspec

from cryoscope.checkpoint.archive.archive import Archive
from cryoscope.checkpoint.archive.member import Member


class View(Archive):
    """The members of an archive under one prefix, which their names lose."""

    def __init__(self, whole: Archive, prefix: str) -> None:
        super().__init__(
            f"{whole.name}/{prefix.rstrip('/')}",
            whole.form,
            whole.size,
            ViewContents(whole, prefix),
            whole._report,  # noqa: SLF001  (what is damaged is damaged in both)
            nesting=whole.nesting,
        )
        self.seekable = whole.seekable
        self._whole = whole
        self._prefix = prefix
        for name in whole.names(prefix):
            if rest := name[len(prefix) :]:
                self._members[rest] = msgspec.structs.replace(whole.members[name], name=rest)

    def parent_of(self, prefix: str) -> tuple[Archive, str] | None:
        """As Archive.parent_of: the links of a view lead through the whole archive."""
        return self._whole.parent_of(self._prefix + prefix)


class ViewContents:
    """The bytes of a view: those of the whole archive under longer names."""

    def __init__(self, whole: Archive, prefix: str) -> None:
        self._whole = whole
        self._prefix = prefix

    def read(self, member: Member, offset: int, length: int) -> bytes:
        return self._whole.read_at(self._prefix + member.name, offset, length)

    def close(self) -> None:
        """Nothing: the whole archive is closed by who opened it."""
