"""Page maps in arrays: a million entries in a fraction of a second.

A page map is read in blocks.  Where an entry begins is guessed at every byte of a block at once (a
size below 64, then the tag of the address) and the guesses are verified as a chain, each entry's end
the next one's beginning; the fields of all entries found are then read in step, one field of every
entry at a time.  Whatever does not fit goes to `pagemap.read_entry`, which is exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cryoscope.checkpoint.criu import pagemap as exact
from cryoscope.errors import Damaged, ImageUnsupported

BLOCK = 1 << 20
"""Bytes looked at in one go: the arrays of a block stay in the processor's cache."""
LARGEST = 64
"""An entry this large has fields that only the exact reader knows."""
STEP = 4096
"""Entries read exactly where guessing fails, before it is tried again."""

TAGS = {8: 0, 16: 1, 24: 2, 32: 3, 40: 4}
VADDR, COMPAT, IN_PARENT, FLAGS, NR_PAGES = range(5)
_ONES = (1 << 64) - 1
_STOPS = np.uint64(0x8080808080808080)
_SQUEEZE = tuple(
    (np.uint64(low), np.uint64(high), np.uint64(shift))
    for low, high, shift in (
        (0x007F007F007F007F, 0x7F007F007F007F00, 1),
        (0x00003FFF00003FFF, 0x3FFF00003FFF0000, 2),
        (0x000000000FFFFFFF, 0x0FFFFFFF00000000, 4),
    )
)


def read_columns(data: bytes | memoryview, page_size: int, name: str) -> exact.Pagemap:
    """See `pagemap.columns`."""
    pages_id, at = exact.read_pagemap_head(data, name)
    reader = _Reader(bytes(data), page_size, name)
    reader.read(at)
    vaddr, pages, flags = (np.concatenate(column) for column in zip(*reader.parts, strict=True))
    present = (flags & exact.PRESENT) != 0
    sizes = np.where(present, pages, 0).astype(np.int64) * page_size
    offset = np.cumsum(sizes)
    offset -= sizes
    offset[~present] = -1
    return exact.Pagemap(vaddr, pages, flags, offset, page_size, pages_id, reader.damaged)


class _Reader:
    def __init__(self, data: bytes, page_size: int, name: str) -> None:
        self.data, self.page_size, self.name = data, page_size, name
        self.bytes = np.frombuffer(data, np.uint8)
        self.parts = [_columns([])]
        self.damaged: list[Damaged] = []
        self.total = self.count = 0

    def read(self, at: int) -> None:
        while at < len(self.data) and not self.damaged:
            starts, ends = self._guess(at)
            if len(starts):
                at = self._read_block(at, starts, ends)
            else:
                at = self._read_exactly(at)

    # --- guessing -------------------------------------------------------------------------------
    def _guess(self, at: int) -> tuple[Any, Any]:
        """Where the messages from `at` on begin and end, in bytes after `at`, as far as verified."""
        block = self.bytes[at : at + BLOCK]
        if len(block) < 5:
            return block[:0], block[:0]
        size = block[:-4]
        zeros = block[1:-3] | block[2:-2] | block[3:-1]
        found = np.flatnonzero((zeros == 0) & (block[4:] == 8) & (size < LARGEST))
        ends = found + size[found] + 4
        if not len(found) or found[0] != 0:
            return found[:0], found[:0]
        broken = np.flatnonzero(found[1:] != ends[:-1])
        whole = int(broken[0]) + 1 if len(broken) else len(found)
        if at + ends[whole - 1] > len(self.data):
            whole -= 1
        return found[:whole] + 4, ends[:whole]

    # --- reading in step ------------------------------------------------------------------------
    def _read_block(self, at: int, starts: Any, ends: Any) -> int:
        window = np.zeros(int(ends[-1]) + 16, np.uint8)
        window[: ends[-1]] = self.bytes[at : at + ends[-1]]
        values, present, odd = _read_fields(window, starts, ends)
        rows = _meaning(values, present)
        where = at + starts - 4
        problem: exact.BrokenEntryError | ImageUnsupported | None = None
        cut = len(starts)
        for i in np.flatnonzero(odd).tolist():
            try:
                entry = exact.read_entry(self.data, at + int(starts[i]), at + int(ends[i]), self.name)
            except (exact.BrokenEntryError, ImageUnsupported) as found:
                problem, cut = found, i
                break
            for column, value in zip(rows, entry, strict=True):
                column[i] = value
        self._keep(rows[0][:cut], rows[1][:cut], rows[2][:cut], where)
        self._stop(problem, int(where[min(cut, len(where) - 1)]))
        return at + int(ends[-1])

    def _stop(self, problem: exact.BrokenEntryError | ImageUnsupported | None, at: int) -> None:
        """What is wrong with the entry at `at` counts only if none before it was found broken."""
        if problem is None or self.damaged:
            return
        if isinstance(problem, ImageUnsupported):
            raise problem
        exact.report(self.damaged, self.name, problem, at)

    def _keep(self, vaddr: Any, pages: Any, flags: Any, where: Any) -> None:
        """Checks what `pagemap.check_*` check, for all entries at once, and keeps those before a bad one."""
        present = np.where((flags & exact.PRESENT) != 0, np.minimum(pages, exact.MOST_PAGES + 1), 0)
        before = np.cumsum(present) - present + np.uint64(self.total)
        span = np.minimum(pages, exact.MOST_PAGES) * np.uint64(self.page_size)
        last = np.uint64(_ONES) - span + np.uint64(1)
        bad = (pages > exact.MOST_PAGES) | (before > exact.MOST_TOTAL) | ((span > 0) & (vaddr > last))
        first = np.flatnonzero(bad)
        cut = int(first[0]) if len(first) else len(vaddr)
        strange = np.flatnonzero(flags[: cut + 1] & ~np.uint32(exact.KNOWN_FLAGS))
        if len(strange):
            exact.check_flags(int(flags[strange[0]]), self.name)
        self.parts.append((vaddr[:cut], pages[:cut], flags[:cut]))
        self.total += int(present[:cut].sum())
        self.count += cut
        exact.check_count(self.count, self.name)
        if cut < len(vaddr):
            what = f"{pages[cut]} pages at {int(vaddr[cut]):#x} are not in any address space"
            exact.report(self.damaged, self.name, exact.BrokenEntryError(what), int(where[cut]))

    # --- reading exactly ------------------------------------------------------------------------
    def _read_exactly(self, at: int) -> int:
        rows: list[tuple[int, int, int]] = []
        where: list[int] = []
        problem: exact.BrokenEntryError | ImageUnsupported | None = None
        while at < len(self.data) and len(rows) < STEP:
            try:
                start, end = exact.frame(self.data, at)
                rows.append(exact.read_entry(self.data, start, end, self.name))
            except (exact.BrokenEntryError, ImageUnsupported) as found:
                problem = found
                break
            where.append(at)
            at = end
        self._keep(*_columns(rows), np.array(where))
        self._stop(problem, at)
        return at


def _columns(rows: list[tuple[int, int, int]]) -> tuple[Any, Any, Any]:
    vaddr, pages, flags = zip(*rows, strict=True) if rows else ((), (), ())
    return np.array(vaddr, np.uint64), np.array(pages, np.uint64), np.array(flags, np.uint32)


def _read_fields(window: Any, starts: Any, ends: Any) -> tuple[list[Any], list[Any], Any]:
    """Values and presence of the five fields of every entry, and which entries are odd."""
    count = len(starts)
    words = np.ndarray((len(window) - 8,), "<u8", window.data, strides=(1,))
    values = [np.zeros(count, np.uint64) for _ in TAGS]
    present = [np.zeros(count, bool) for _ in TAGS]
    odd = np.zeros(count, bool)
    at = starts.copy()
    left: Any = slice(None)  # the entries that have a field left
    while True:
        tags = window[at[left]]
        known = np.zeros(len(tags), bool)
        for tag, column in TAGS.items():
            here = tags == tag
            if not here.any():
                continue
            known |= here
            which = left if here.all() else np.arange(count)[left][here]
            value, size = _varints(window, words, at[which] + 1)
            values[column][which] = value
            present[column][which] = True
            odd[which] |= size == 0
            at[which] += size + 1
        strange = np.arange(count)[left][~known]
        odd[strange] = True
        odd |= at > ends
        more = np.flatnonzero((at < ends) & ~odd)
        if not len(more):
            return values, present, odd
        left = slice(None) if len(more) == count else more


def _varints(window: Any, words: Any, at: Any) -> tuple[Any, Any]:
    """The numbers at `at` and their lengths in bytes, 0 where it is more than eight."""
    first = window[at]
    if (first < 0x80).all():
        return first.astype(np.uint64), 1
    word = words[at]
    stop = ~word & _STOPS
    mask = stop ^ (stop - np.uint64(1))
    word = word & mask
    for low, high, shift in _SQUEEZE:
        word = (word & low) | ((word & high) >> shift)
    size = np.where(stop != 0, np.bitwise_count(mask) >> 3, 0)
    return word, size.astype(np.int64)


def _meaning(values: list[Any], present: list[Any]) -> tuple[Any, Any, Any]:
    """What older CRIUs leave out, filled in as criu/pagemap.c does."""
    small = np.uint64(0xFFFFFFFF)
    pages = np.where(present[NR_PAGES], values[NR_PAGES], values[COMPAT] & small)
    flags = (values[FLAGS] & small).astype(np.uint32)
    in_parent = values[IN_PARENT] != 0
    flags[in_parent] |= np.uint32(exact.PARENT)
    flags[~in_parent & ~present[FLAGS]] = exact.PRESENT
    return values[VADDR], pages, flags
