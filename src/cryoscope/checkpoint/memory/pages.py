"""Where each page of one pagemap lies: in this checkpoint, in a parent, or nowhere.

Defined in CRIU's images/pagemap.proto and criu/pagemap.c: the entries are sorted by address, the
present ones lie back to back in pages-<pages_id>.img, and what the checkpoint's `parent` link
leads to holds the pages flagged so.
"""

from __future__ import annotations

import operator
import sys
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from cryoscope import limits
from cryoscope.checkpoint.criu import pagemap
from cryoscope.checkpoint.criu.imageset import ImageSet
from cryoscope.errors import CryoscopeError, Damaged

COLUMNS_FROM = 256 * limits.KIB
"""Bytes of a pagemap above which numpy's start-up time is earned back."""


LISTS_FROM = 2 * limits.KIB
"""Bytes from which numpy reads a pagemap sooner, where a command has imported it in any case."""


class State:
    """The states of a page (see the package's docstring)."""

    DUMPED = "dumped"
    PARENT = "parent"
    ZERO = "zero"
    FILE = "file"
    LAZY = "lazy"
    UNKNOWN = "unknown"
    UNMAPPED = "unmapped"


class Extent(NamedTuple):
    """Pages of one state in a row: `start` and `length` in bytes of address.

    `images` and `member` say where the bytes are, `offset` from which byte on; for states without
    bytes `images` is None.
    """

    start: int
    length: int
    state: str
    images: ImageSet | None = None
    member: str = ""
    offset: int = -1


class PageIndex:
    """One pagemap (`pagemap-7.img`, `pagemap-shmem-3.img`), to be asked by address.

    For a shared object the addresses are offsets in it.  Building it costs about a microsecond
    an entry below `COLUMNS_FROM` bytes, and a tenth of that above.
    """

    def __init__(self, images: ImageSet, name: str, page_size: int, *, depth: int = 0) -> None:
        self.images = images
        self.name = name
        self.page_size = page_size
        self.depth = depth
        self._parent: PageIndex | None = None
        self.vaddr: Any = ()
        self.count: Any = ()
        self.flags: Any = ()
        self.offset: Any = ()
        self.pages_id = 0
        self._load()

    @property
    def member(self) -> str:
        """Base name of the image that holds the present pages."""
        return f"pages-{self.pages_id}.img"

    @property
    def parent(self) -> PageIndex | None:
        """The same pagemap in the parent checkpoint."""
        if self._parent is None and self.images.parent is not None and self.depth < limits.PARENTS:
            parent = self.images.parent
            if self.name in parent:
                self._parent = PageIndex(parent, self.name, self.page_size, depth=self.depth + 1)
        return self._parent

    def _load(self) -> None:
        data = self.images.read(self.name)
        if data is None:
            return
        try:
            self.pages_id = pagemap.pages_id(data)
            self._fill(data)
        except CryoscopeError as error:
            self.images.damage(self.name, error)

    def _fill(self, data: bytes) -> None:
        if len(data) > COLUMNS_FROM:
            columns = pagemap.columns(data, page_size=self.page_size, name=self._image)
            self.vaddr, self.count = columns.vaddr, columns.pages
            self.flags, self.offset = columns.flags, columns.offset
            self.images.damaged.extend(columns.damaged)
            in_order = bool((self.vaddr[:-1] + self.count[:-1] * self.page_size <= self.vaddr[1:]).all())
        else:
            self._fill_lists(data)
            ends = (at + count * self.page_size for at, count in zip(self.vaddr, self.count, strict=True))
            in_order = all(map(operator.le, ends, self.vaddr[1:]))
        if not in_order:
            self._put_in_order()

    def _fill_lists(self, data: bytes) -> None:
        damaged = self.images.damaged
        if len(data) > LISTS_FROM and "numpy" in sys.modules:
            found = pagemap.columns(data, page_size=self.page_size, name=self._image)
            columns = (found.vaddr, found.pages, found.flags, found.offset)
            self.vaddr, self.count, self.flags, self.offset = (column.tolist() for column in columns)
            damaged.extend(found.damaged)
        else:
            self._take(pagemap.entries(data, page_size=self.page_size, name=self._image, damaged=damaged))

    @property
    def _image(self) -> str:
        return self.images.member(self.name) or self.name

    def _take(self, rows: Iterable[tuple[int, int, int, int]]) -> None:
        columns = [list(column) for column in zip(*rows, strict=True)]
        self.vaddr, self.count, self.flags, self.offset = columns or ([], [], [], [])

    def _put_in_order(self) -> None:
        """CRIU writes entries by address, apart; of others' overlaps the one that begins lower counts."""
        problem = "its entries overlap or are not in the order of their addresses"
        self.images.damaged.append(Damaged(self._image, problem, "memory.pagemap-order"))
        columns = (self.vaddr, self.count, self.flags, self.offset)
        rows = zip(*([int(value) for value in column] for column in columns), strict=True)
        self._take(self._without_overlaps(sorted(rows, key=operator.itemgetter(0))))

    def _without_overlaps(self, rows: list[tuple[int, int, int, int]]) -> Iterator[tuple[int, int, int, int]]:
        end = 0
        for vaddr, count, flags, offset in rows:
            skipped = -(-max(0, end - vaddr) // self.page_size)
            if skipped < count:
                away = skipped * self.page_size
                yield vaddr + away, count - skipped, flags, offset + away if offset >= 0 else -1
                end = vaddr + count * self.page_size

    def __len__(self) -> int:
        return len(self.vaddr)

    @property
    def pages_present(self) -> int:
        """Pages whose bytes lie in this checkpoint."""
        return sum(int(n) for n, flags in zip(self.count, self.flags, strict=True) if flags & pagemap.PRESENT)

    def entries_within(self, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """Entries that touch `start`..`end`, cut to it: (start, end, flags, offset of the start)."""
        index = max(0, bisect_right(self.vaddr, start) - 1)
        while index < len(self.vaddr):
            at = int(self.vaddr[index])
            if at >= end:
                return
            stop = at + int(self.count[index]) * self.page_size
            low, high = max(at, start), min(stop, end)
            if low < high:
                offset = int(self.offset[index])
                yield low, high, int(self.flags[index]), offset + (low - at) if offset >= 0 else -1
            index += 1

    def extents(self, start: int, end: int) -> Iterator[Extent]:
        """What is known of `start`..`end`; gaps between the entries are left out."""
        for low, high, flags, offset in self.entries_within(start, end):
            yield from self._entry(low, high, flags, offset)

    def _entry(self, low: int, high: int, flags: int, offset: int) -> Iterator[Extent]:
        if flags & pagemap.PRESENT:
            state = State.DUMPED if self.depth == 0 else State.PARENT
            yield Extent(low, high - low, state, self.images, self.member, offset)
        elif flags & pagemap.PARENT:
            yield from self._in_parent(low, high)
        elif flags & pagemap.LAZY:
            yield Extent(low, high - low, State.LAZY)
        else:
            yield Extent(low, high - low, State.UNKNOWN)

    def _in_parent(self, low: int, high: int) -> Iterator[Extent]:
        position = low
        if self.parent is not None:
            for extent in self.parent.extents(low, high):
                if extent.start > position:
                    yield Extent(position, extent.start - position, State.UNKNOWN)
                yield extent
                position = extent.start + extent.length
        if position < high:
            yield Extent(position, high - position, State.UNKNOWN)


def guess_page_size(images: ImageSet, mtype: str) -> int:
    """Page size of the machine that was dumped, in bytes: no image records it.

    x86 has one; elsewhere it is the size at which the present pages of a pagemap fill its pages
    image (criu/pagemap.c writes nothing else to it).
    """
    if mtype in ("x86_64", "unknown", "arm", "s390", "riscv64"):
        return 4096
    for name, _ in images.matching("pagemap-*"):
        index = PageIndex(images, name, 4096)
        present, size = index.pages_present, images.size(index.member)
        if present and size and size % present == 0 and size // present in limits.PAGE_SIZES:
            return size // present
    return 4096


def present_bytes(extents: Iterator[Extent]) -> dict[str, int]:
    """Bytes of address by state."""
    total: dict[str, Any] = {}
    for extent in extents:
        total[extent.state] = total.get(extent.state, 0) + extent.length
    return total
