"""Hashes of pages, taken while a compressed archive streams by: eight bytes a page.

XXH3 of 64 bits is no proof against somebody who makes two pages of one hash on purpose; against chance
it is one in ten to the tenth for a gibibyte of changes.  A stranger may choose the pages, so each run has
a seed of its own.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import xxhash

from cryoscope.checkpoint.archive import Archive, Member

UNIT = 4096
"""Bytes hashed together: the smallest page; larger ones are several."""

SEED = int.from_bytes(os.urandom(8), "little")
ZERO = xxhash.xxh3_64_intdigest(bytes(UNIT), SEED)
PAGES = re.compile(r"(?:.*/)?pages-\d+\.img")


if TYPE_CHECKING:  # in 3.11 only type checkers can subscript it
    Column = array[int]
else:
    Column = array
"""Hashes of units one after the other."""


def hashes_of(data: memoryview) -> Column:
    """The hash of each whole unit."""
    found: Column = array("Q")
    _extend(found, data)
    return found


def _extend(column: Column, data: memoryview) -> None:
    append, digest, seed = column.append, xxhash.xxh3_64_intdigest, SEED
    for at in range(0, len(data) - UNIT + 1, UNIT):
        append(digest(data[at : at + UNIT], seed))


class PageHashes:
    """A `Tap` for `open_archive`: the pages images of every tar that streams by, hashed page by page.

    When a block is asked for, all members whose bytes begin before its end have been entered into the
    archive, because the walk needs no more than the header in front of them.
    """

    def __init__(self) -> None:
        self._reels: dict[int, _Reel] = {}

    def __call__(self, archive: Archive, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """The same blocks; each is hashed when the next one is asked for."""
        reel = self._reels[id(archive)] = _Reel(archive)
        for block in blocks:
            reel.take(block)
            yield block

    def streamed(self, archive: Any) -> bool:
        """Whether this archive came by."""
        return id(archive) in self._reels

    def of(self, archive: Any, name: str, offset: int, length: int) -> Column | None:
        """The hashes of the units of a member from `offset` on, fewer where the archive was cut short.

        None where they were not taken: of members in pieces, or of which there are two.
        """
        reel = self._reels.get(id(archive))
        column = reel.column(name) if reel is not None else None
        if column is None or offset % UNIT:
            return None
        return column[offset // UNIT : (offset + length) // UNIT]


class _Reel:
    """The blocks of one tar as they go by."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self._columns: dict[str, _Image] = {}
        self._open: list[_Image] = []
        self._seen = 0
        self._at = 0
        self._waiting = b""

    def take(self, block: bytes) -> None:
        """Hash the block before this one: by now its members are known."""
        self._enter()
        start, view = self._at, memoryview(self._waiting)
        for one in self._open:
            one.take(view, start)
        self._at += len(view)
        self._open = [one for one in self._open if one.end > self._at]
        self._waiting = block

    def _enter(self) -> None:
        """Begin a column for each pages image that has been entered since."""
        members = self.archive.members
        for name in islice(members, self._seen, None):
            member = members[name]
            if PAGES.fullmatch(name) and _whole(member):
                self._columns[name] = _Image(member.offset, member.offset + member.size)
                self._open.append(self._columns[name])
        self._seen = len(members)

    def column(self, name: str) -> Column | None:
        """The hashes of a member."""
        if self._waiting:
            self.take(b"")
        found, member = self._columns.get(name), self.archive.members.get(name)
        if found is None or member is None or member.offset != found.start:
            return None
        return found.hashes


def _whole(member: Member) -> bool:
    """Whether its bytes lie in one piece."""
    return member.type in ("file", "other") and member.offset >= 0 and not member.runs


class _Image:
    """A pages image that goes by, from `start` to `end` of the tar."""

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = start, end
        self.hashes: Column = array("Q")
        self._rest = b""

    def take(self, view: memoryview, at: int) -> None:
        """What of a block, which lies at `at` of the tar, is this image's."""
        low, high = max(0, self.start - at), min(len(view), self.end - at)
        if low >= high:
            return
        if self._rest:
            need = UNIT - len(self._rest)
            self._rest += view[low : min(high, low + need)]
            low = min(high, low + need)
            if len(self._rest) < UNIT:
                return
            _extend(self.hashes, memoryview(self._rest))
            self._rest = b""
        whole = low + (high - low) // UNIT * UNIT
        _extend(self.hashes, view[low:whole])
        self._rest = bytes(view[whole:high])
