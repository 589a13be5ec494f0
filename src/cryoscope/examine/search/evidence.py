"""The bytes around candidates: what the scan kept, and what has to be read again.

Of an archive that is decompressed nothing is read while hits are confirmed: what is missing is noted,
then read in one pass in the order in which it lies there, and the hits are confirmed once more.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.search.sweep import PAGE, UNIT
from cryoscope.examine.search.tapped import Placed

LOOK_BACK = 64
"""Windows that may begin between a place and the window that holds it."""


class Evidence:
    """Bytes of an archive's members by offset; without an archive, only those that were kept."""

    def __init__(self, archive: Archive | None, damaged: list[Damaged]) -> None:
        self.archive = archive
        self.missing: set[tuple[str, int, int]] = set()
        self._damaged = damaged
        self._windows: dict[str, list[tuple[int, bytes]]] = {}
        self._starts: dict[str, list[int]] = {}
        self._hashes: dict[tuple[str, int], int] = {}
        self._given_up: set[tuple[str, int, int]] = set()
        self._again = limits.SEARCH_AGAIN

    @property
    def streamed(self) -> bool:
        """Whether reading costs more than a read."""
        return self.archive is None or not self.archive.seekable

    def keep(self, found: Iterable[Placed]) -> None:
        """Remember what was kept with candidates."""
        touched = set()
        for member, shift, raw in found:
            self._windows.setdefault(member, []).append((raw.start - shift, raw.data))
            touched.add(member)
            first = raw.first - shift // UNIT
            self._hashes.update(((member, first + i), value) for i, value in enumerate(raw.hashes))
        for member in touched:
            self._index(member)

    def _index(self, member: str) -> None:
        self._windows[member].sort(key=lambda window: window[0])
        self._starts[member] = [start for start, _ in self._windows[member]]

    def fetch(self, member: str, offset: int, length: int) -> bytes:
        """Bytes of a member, fewer where it is cut short; none yet if they are `missing`."""
        found = self._kept(member, offset, length)
        if found is not None:
            return found
        if self.streamed:
            self.missing.add((member, offset, length))
            return b""
        return self._read(member, offset, length)

    def _kept(self, member: str, offset: int, length: int) -> bytes | None:
        if (member, offset, length) in self._given_up:
            return b""
        windows = self._windows.get(member, [])
        place = bisect_right(self._starts.get(member, []), offset)
        for start, data in reversed(windows[max(0, place - LOOK_BACK) : place]):
            if offset + length <= start + len(data):
                return data[offset - start : offset - start + length]
        return None

    def _read(self, member: str, offset: int, length: int) -> bytes:
        if self.archive is None:
            return b""
        try:
            return self.archive.read_at(member, offset, length)
        except CryoscopeError as error:
            self._damaged.append(Damaged(member, error.message, error.code, offset))
            return b""

    def fill(self) -> bool:
        """Read what was missing, in the order of the archive; whether there was anything."""
        if self.archive is None:
            return False
        members = self.archive.members
        wanted = sorted(
            (members[name].offset + offset, name, offset, length)
            for name, offset, length in self.missing
            if name in members
        )
        self.missing = set()
        for _, name, offset, length in wanted:
            self._again -= length
            data = self._read(name, offset, length) if self._again >= 0 else b""
            self._windows.setdefault(name, []).append((offset, data))
            if len(data) < length:  # nobody asks for it again
                self._given_up.add((name, offset, length))
        for name in {name for _, name, _, _ in wanted}:
            self._index(name)
        return bool(wanted)

    def page(self, member: str, offset: int) -> tuple[int, ...]:
        """A hash of the `PAGE` bytes at an offset, to tell equal pages from others."""
        first, count = offset // UNIT, PAGE // UNIT
        found = [self._hashes.get((member, first + i)) for i in range(count)]
        if None not in found:
            return tuple(value for value in found if value is not None)
        data = self.fetch(member, offset, PAGE)
        return tuple(hash(data[at : at + UNIT]) for at in range(0, PAGE, UNIT))
