"""The digests of members while the bytes of their tar go by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from cryoscope.evidence.records import MemberDigest

Span = tuple[int, int]
"""Offset in the plain tar and size."""


class _Segment:
    """The bytes of a member, or of several that share them; `at` is how far they have gone by."""

    def __init__(self, span: Span) -> None:
        self.offset, self.end = span[0], span[0] + span[1]
        self.at = self.offset
        self.sum = hashlib.sha256()
        self.holed = False

    def take(self, offset: int, block: memoryview) -> bool:
        """What of a block belongs here; whether more is to come."""
        if self.at < offset:
            self.holed, self.at = True, offset
        part = block[self.at - offset : self.end - offset]
        self.sum.update(part)
        self.at += len(part)
        return self.at < self.end

    @property
    def digest(self) -> str | None:
        """The SHA-256, None if not all of it has gone by."""
        return None if self.holed or self.at < self.end else self.sum.hexdigest()


class Places:
    """Where the members of a manifest lie; hard links share their bytes."""

    def __init__(self, members: Iterable[MemberDigest]) -> None:
        self.members = [one for one in members if one.sha256 is not None and one.offset is not None]
        self._segments = {span: _Segment(span) for span in sorted({_span(one) for one in self.members})}
        self._coming = iter(self._segments.values())
        self._next = next(self._coming, None)
        self._open: list[_Segment] = []

    def take(self, offset: int, block: bytes) -> None:
        """The next block of the tar; offsets rise, but bytes may be left out."""
        end = offset + len(block)
        while self._next is not None and self._next.offset < end:
            self._open.append(self._next)
            self._next = next(self._coming, None)
        with memoryview(block) as view:
            self._open = [one for one in self._open if one.take(offset, view)]

    def wrong(self) -> Iterator[tuple[MemberDigest, str | None]]:
        """Members that do not have their digest, with the one that they have (None: not all was read)."""
        for member in self.members:
            digest = self._segments[_span(member)].digest
            if digest != member.sha256:
                yield member, digest


def _span(member: MemberDigest) -> Span:
    return member.offset or 0, member.size
