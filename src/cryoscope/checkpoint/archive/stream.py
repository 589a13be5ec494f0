"""A tar that can only be read forward: compressed, or out of a pipe.

It is decompressed once.  What will be asked for is kept while it goes by: small members, large
ones as long as there is room, and of the others the ranges that `keep` answers.  What was not
kept is found by decompressing again from the beginning, or not at all if it came out of a pipe.
"""

from __future__ import annotations

from _thread import RLock
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from cryoscope import limits
from cryoscope.checkpoint.archive.hoard import Allowance, Hoard
from cryoscope.checkpoint.archive.member import Member, extents, stored
from cryoscope.checkpoint.archive.tape import BLOCK, BlockTape
from cryoscope.errors import CryoscopeError, ReadOnce

if TYPE_CHECKING:
    from cryoscope.checkpoint.archive.archive import Archive

Keep = Callable[[Member, "Archive"], Sequence[tuple[int, int]]]
"""Asked of each member larger than limits.KEPT_MEMBER: which ranges (offset, length) of it to keep."""

Tap = Callable[["Archive", Iterator[bytes]], Iterator[bytes]]
"""Gives the decompressed blocks of an archive on as they come, and looks at them on the way."""

Restart = Callable[[], Iterator[bytes]] | None
"""Gives the decompressed blocks from the beginning; None for a pipe."""

Span = tuple[int, int]
"""From and to, as offsets in the decompressed tar."""


class Stream:
    """The bytes of a decompressed tar by offset, out of memory or by decompressing again.

    `restart` gives the blocks from the beginning and is None for a pipe; `allowance` is the room
    for what is kept.
    """

    def __init__(self, name: str, restart: Restart, keep: Keep | None, allowance: Allowance) -> None:
        self.name = name
        self._restart = restart
        self._keep = keep
        self._hoard = Hoard(allowance)
        self._tape: BlockTape | None = None
        self._plan: Iterator[Member] = iter(())
        self._next: Member | None = None
        self._pending: deque[Span] = deque()
        self._archive: Archive | None = None
        self._asking = False
        self._lock = RLock()

    def scan(self, tape: BlockTape, members: Iterable[Member], archive: Archive) -> None:
        """Enter the members, and keep what is to be kept while they go by on the tape of the walk."""
        with self._lock:
            for member in members:
                archive.add(member)
                for start, end in self._wanted(member, archive):
                    self._take(tape, start, end)

    def replay(self, members: Sequence[Member], archive: Archive) -> None:
        """Members known already: each is kept, or not, when the first read comes past it."""
        self._archive = archive
        self._plan = iter(sorted(members, key=lambda member: member.offset))
        self._next = next(self._plan, None)

    def fetch(self, offset: int, length: int) -> bytes:
        """Bytes of the decompressed tar, fewer than `length` only at its end; ReadOnce."""
        with self._lock:
            found = self._hoard.find(offset, length)
            if len(found) == length:
                return found
            return b"".join(self._parts(offset, offset + length))

    def close(self) -> None:
        """Forget everything kept."""
        with self._lock:
            self._hoard.clear()
            self._tape = None

    # --- reading --------------------------------------------------------------------------
    def _parts(self, offset: int, end: int) -> Iterator[bytes]:
        while offset < end:
            part = self._hoard.find(offset, end - offset) or self._pass(offset, end)
            if not part:
                return
            yield part
            offset += len(part)

    def _pass(self, offset: int, end: int) -> bytes:
        """Bytes at `offset` that are not in memory (yet), up to the next place that matters."""
        if self._asking:
            raise ReadOnce(f"byte {offset} is not in memory while the archive streams by")
        self._settle(offset)
        if kept := self._hoard.find(offset, end - offset):
            return kept
        stop = self._hoard.next_start(offset, end)
        if self._pending:
            stop = min(stop, self._pending[0][0])
        if self._next:
            stop = min(stop, self._next.offset)
        return self._tape_at(offset).read(offset, min(stop - offset, BLOCK))

    def _tape_at(self, offset: int) -> BlockTape:
        if self._restart is None:
            raise ReadOnce(
                f"byte {offset} went by in the pipe and was not kept",
                hint="save the archive to a file and give that",
            )
        if self._tape is None or offset < self._tape.start:
            self._tape = BlockTape(self._restart())
        return self._tape

    # --- keeping --------------------------------------------------------------------------
    def _settle(self, offset: int) -> None:
        """Decide about the planned members that begin up to `offset`, and keep what is to be kept."""
        while True:
            while self._pending and self._pending[0][0] <= offset:
                start, end = self._pending.popleft()
                self._take(self._tape_at(start), start, end)
            if self._next is None or self._next.offset > offset or self._archive is None:
                return
            member, self._next = self._next, next(self._plan, None)
            self._pending.extend(self._wanted(member, self._archive))

    def _wanted(self, member: Member, archive: Archive) -> list[Span]:
        """The spans of a member to keep."""
        size = stored(member)
        if not size or member.type not in ("file", "other"):
            return []
        first = min((run[1] for run in member.runs), default=member.offset)
        whole = (first, first + size)
        if size <= limits.KEPT_MEMBER:
            return [whole] if self._hoard.reserve(size, evict=True) else []
        pins = self._pins(member, archive)
        if self._hoard.reserve(size, evict=False):
            self._hoard.spare(*whole, pins)
            return [whole]
        return [pin for pin in pins if self._hoard.reserve(pin[1] - pin[0], evict=True)]

    def _pins(self, member: Member, archive: Archive) -> list[Span]:
        """What `keep` asks for, as disjoint spans of the tar in rising order."""
        if self._keep is None:
            return []
        self._asking = True
        try:
            ranges = sorted(self._keep(member, archive))
        except CryoscopeError:  # what it wanted to know is damaged: it will be read the slow way
            return []
        finally:
            self._asking = False
        pins: list[Span] = []
        for offset, length in ranges:
            for _, place, size in extents(member, max(0, offset), length + min(0, offset)):
                low = max(place, pins[-1][1]) if pins else place
                if low < place + size:
                    pins.append((low, place + size))
        return pins

    def _take(self, tape: BlockTape, start: int, end: int) -> None:
        """Keep a span that is about to go by, in pieces of one block."""
        while start < end:
            piece = tape.read(start, min(BLOCK, end - start))
            if not piece:
                return
            self._hoard.put(start, piece)
            start += len(piece)
