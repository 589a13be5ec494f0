"""SHA-256 of every member of a tar while it goes by."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator

from cryoscope import limits
from cryoscope.checkpoint.archive import Member
from cryoscope.checkpoint.archive.member import normalise
from cryoscope.evidence.records import MemberDigest

ZEROS = bytes(1 << 20)
FILES = ("file", "other")

Step = tuple[list[Member], bytes]
"""Members that were met, and the block that they were met in: what it holds of any is known by then."""


class _Open:
    """A member whose bytes are going by: `runs` are (offset in it, place in the tar, length), rising."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.runs = deque(member.runs or [(0, member.offset, member.size)])
        self.sha256 = hashlib.sha256()
        self.done = 0


class MemberDigests:
    """Digests of the members of one tar; `broken` are the names of those whose bytes did not all come."""

    def __init__(self) -> None:
        self.found: dict[str, MemberDigest] = {}
        self.broken: list[str] = []
        self._queue: deque[_Open] = deque()
        self._at = 0
        self._holes = limits.EVIDENCE_HOLES

    def run(self, steps: Iterator[Step]) -> None:
        """Take members and blocks in order, to the end."""
        for members, block in steps:
            start, view = self._at, memoryview(block)
            for member in members:
                self._pass(view[self._at - start : max(self._at, member.offset) - start])
                self._enter(member)
            self._pass(view[self._at - start :])
        for left in self._queue:
            self._finish(left, whole=False)

    def _enter(self, member: Member) -> None:
        if member.type == "hardlink":
            self._link(member)
        elif member.type not in FILES:
            self._put(member, None)
        elif member.offset < self._at or self._too_sparse(member):  # a broken sparse map has no offset
            self._put(member, None)
            self.broken.append(member.name)
        else:
            self._put(member, None)
            self._queue.append(_Open(member))

    def _link(self, member: Member) -> None:
        """A hard link is its target, all of which has gone by."""
        same = self.found.get(normalise(member.linkname))
        size, offset, sha256 = (same.size, same.offset, same.sha256) if same else (0, None, None)
        self.found[member.name] = MemberDigest(
            name=member.name, type=member.type, size=size, sha256=sha256, offset=offset
        )

    def _too_sparse(self, member: Member) -> bool:
        holes = member.size - sum(run[2] for run in member.runs) if member.runs else 0
        if holes > self._holes:
            return True
        self._holes -= max(0, holes)
        return False

    def _put(self, member: Member, sha256: str | None) -> None:
        place = member.offset if member.offset >= 0 else None
        self.found[member.name] = MemberDigest(
            name=member.name, type=member.type, size=member.size, sha256=sha256, offset=place
        )

    def _pass(self, block: memoryview) -> None:
        end = self._at + len(block)
        while self._queue and self._take(self._queue[0], block, end):
            self._finish(self._queue.popleft(), whole=True)
        self._at = end

    def _take(self, found: _Open, block: memoryview, end: int) -> bool:
        """Hash what a block has of a member; whether that was the rest of it."""
        while found.runs:
            offset, place, length = found.runs[0]
            low, high = max(place, self._at), min(place + length, end)
            if low < high:
                start = offset + low - place
                _zeros(found, start)
                found.sha256.update(block[low - self._at : high - self._at])
                found.done = start + high - low
            if place + length > end:
                return False
            found.runs.popleft()
        return True

    def _finish(self, found: _Open, *, whole: bool) -> None:
        member = found.member
        if whole:
            _zeros(found, member.size)
            whole = found.done == member.size
        if not whole:
            self.broken.append(member.name)
        elif self.found[member.name].offset == member.offset:
            self._put(member, found.sha256.hexdigest())


def _zeros(found: _Open, until: int) -> None:
    """Hash the hole up to an offset of the member."""
    for _ in range((until - found.done) // len(ZEROS)):
        found.sha256.update(ZEROS)
        found.done += len(ZEROS)
    if until > found.done:
        found.sha256.update(ZEROS[: until - found.done])
        found.done = until


def sha256_of(blocks: Iterable[bytes | memoryview]) -> tuple[str, int]:
    """SHA-256 and count of all bytes."""
    digest, size = hashlib.sha256(), 0
    for block in blocks:
        digest.update(block)
        size += len(block)
    return digest.hexdigest(), size
