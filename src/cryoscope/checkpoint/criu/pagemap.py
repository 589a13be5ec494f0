"""Page maps: which pages of an address space were dumped, and where in pages-<id>.img they lie.

Defined by CRIU: images/pagemap.proto, criu/pagemap.c (what older CRIUs leave out, and the offsets),
criu/include/pagemap.h (the flags).  A page map has one entry a run of pages, in order of address:
small ones are read entry by entry here, large ones by `columns` in arrays.

    nr_pages (field 5, CRIU 4.2 and later) or, if it is absent, compat_nr_pages (field 2)
    flags (field 4), or PRESENT if they are absent and in_parent (field 3) is not set
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.criu.extras import U32
from cryoscope.checkpoint.criu.framing import read_head
from cryoscope.checkpoint.criu.messages import decode
from cryoscope.errors import Damaged, ImageError, ImageUnsupported, LimitExceeded

if TYPE_CHECKING:
    from numpy import int64, uint32, uint64
    from numpy.typing import NDArray

PARENT, LAZY, PRESENT = 1, 2, 4
"""Flags: the pages lie in the parent checkpoint; may be fetched later; lie in the pages image."""
KNOWN_FLAGS = PARENT | LAZY | PRESENT
COMPRESSION_FIELDS = range(6, 10)
"""Where a CRIU that compresses pages keeps their sizes (its schema still moves: criu PR 2895)."""

MOST_PAGES = 1 << 38
"""Pages of one entry: a pebibyte of 4 KiB pages, more than any address space that runs."""
MOST_TOTAL = 1 << 46
"""Pages of all entries: offsets stay below 2^62 whatever the page size."""


class PagemapEntry(NamedTuple):
    """A run of pages: its first address, how many, flags, and its byte offset in the pages image
    (-1 where the pages are not in it)."""

    vaddr: int
    pages: int
    flags: int
    offset: int


class Pagemap(msgspec.Struct, frozen=True):
    """A page map as columns of equal length; `offset` is in bytes, -1 where not PRESENT."""

    vaddr: NDArray[uint64]
    pages: NDArray[uint64]
    flags: NDArray[uint32]
    offset: NDArray[int64]
    page_size: int
    pages_id: int
    damaged: list[Damaged] = []


class BrokenEntryError(ValueError):
    """An entry after which no offset is known any more."""


def pages_id(data: bytes | memoryview, *, name: str = "pagemap") -> int:
    """The id of the pages image that a page map names; raises ImageError."""
    return read_pagemap_head(data, name)[0]


def columns(data: bytes | memoryview, *, page_size: int = 4096, name: str = "pagemap") -> Pagemap:
    """A whole page map as numpy arrays, up to the first damaged entry (then `damaged` says so).

    Raises ImageError for what is no page map, ImageUnsupported for compressed pages and flags that
    this release does not know, LimitExceeded above limits.PAGEMAP_ENTRIES.
    """
    from cryoscope.checkpoint.criu.pagemap_columns import read_columns

    return read_columns(data, page_size, name)


def entries(
    data: bytes | memoryview,
    *,
    page_size: int = 4096,
    name: str = "pagemap",
    damaged: list[Damaged] | None = None,
) -> Iterator[PagemapEntry]:
    """The entries of a page map one by one, without numpy; errors are those of `columns`.

    At the first damaged entry a Damaged record goes to the list `damaged`; without a list, ImageError.
    """
    data, total, count = bytes(data), 0, 0
    at = read_pagemap_head(data, name)[1]
    while at < len(data):
        try:
            start, end = frame(data, at)
            vaddr, pages, flags = read_entry(data, start, end, name)
            check_range(vaddr, pages, total, page_size)
        except BrokenEntryError as problem:
            report(damaged, name, problem, at)
            return
        at = end
        count += 1
        check_count(count, name)
        yield PagemapEntry(vaddr, pages, flags, total * page_size if flags & PRESENT else -1)
        total += pages if flags & PRESENT else 0


def read_pagemap_head(data: bytes | memoryview, name: str) -> tuple[int, int]:
    """The pages image's id, and where the first entry begins."""
    kind, _, at = read_head(data, name)
    if kind.name != "PAGEMAP":
        raise ImageError(f"{name} is a {kind.name} image, not a page map", hint="name a pagemap-*.img")
    try:
        start, end = frame(data, at)
        return int(decode("pagemap_head", bytes(data[start:end])).pages_id), end
    except ValueError as problem:
        raise ImageError(
            f"{name}: a page map without a head: {problem}", hint="the dump was cut off here"
        ) from None


def frame(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """(start, end) of the message whose size stands at `at`; raises BrokenEntryError."""
    left = len(data) - at - 4
    size = U32.unpack_from(data, at)[0] if left >= 0 else 0
    if left < size:
        raise BrokenEntryError("the image ends inside an entry")
    if size > limits.ENTRY:
        raise BrokenEntryError(f"an entry of {size} bytes")
    return at + 4, at + 4 + size


def read_entry(data: bytes, start: int, end: int, name: str) -> tuple[int, int, int]:
    """(address, pages, flags) of one entry, as exactly as protobuf; raises BrokenEntryError."""
    found = _plain_fields(data, start, end)
    if found is None:
        found = _any_fields(bytes(data[start:end]), name)
    flags = found.get(4)
    check_flags(flags or 0, name)
    if found.get(3):
        flags = (flags or 0) | PARENT
    elif flags is None:
        flags = PRESENT
    return found.get(1, 0), found.get(5, found.get(2, 0)), flags


def _plain_fields(data: bytes, start: int, end: int) -> dict[int, int] | None:
    """Field number to value, or None unless all fields are known and all numbers of usual length."""
    found: dict[int, int] = {}
    at = start
    while at < end:
        tag = data[at]
        shift = value = 0
        at += 1
        while at < end and shift < 63:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        else:
            return None
        if tag & 7 or not 8 <= tag <= 40:
            return None
        found[tag >> 3] = value & 0xFFFFFFFF if tag in (16, 32) else value
    return found


def _any_fields(payload: bytes, name: str) -> dict[int, int]:
    try:
        message = decode("pagemap_entry", payload)
    except ValueError as problem:
        raise BrokenEntryError(f"an entry is no pagemap_entry: {problem}") from None
    _refuse_compression(message, name)
    return {descriptor.number: int(value) for descriptor, value in message.ListFields()}


def _refuse_compression(message: Any, name: str) -> None:
    from google.protobuf.unknown_fields import UnknownFieldSet

    unknown: Any = UnknownFieldSet(message)
    if any(field.field_number in COMPRESSION_FIELDS for field in unknown):
        raise _unsupported(f"{name}: entries with sizes of compressed pages")


def check_flags(flags: int, name: str) -> None:
    if flags & ~KNOWN_FLAGS:
        raise _unsupported(f"{name}: entries with flags {flags & ~KNOWN_FLAGS:#x}, which change offsets")


def check_range(vaddr: int, pages: int, total: int, page_size: int) -> None:
    if pages > MOST_PAGES or total > MOST_TOTAL or vaddr + pages * page_size > 1 << 64:
        raise BrokenEntryError(f"{pages} pages at {vaddr:#x} are not in any address space")


def check_count(count: int, name: str) -> None:
    if count > limits.PAGEMAP_ENTRIES:
        raise LimitExceeded(
            f"{name} has more than {limits.PAGEMAP_ENTRIES} entries",
            hint="no address space is so scattered: it is damaged or hostile",
            code="limit.pagemap",
        )


def report(damaged: list[Damaged] | None, name: str, problem: BrokenEntryError, at: int) -> None:
    """Records a broken entry, or raises it where nobody collects records."""
    if damaged is None:
        raise ImageError(
            f"{name}: {problem}", hint="what stands before it is whole", code="criu.pagemap-damaged"
        )
    damaged.append(Damaged(part=name, problem=str(problem), code="criu.pagemap-damaged", offset=at))


def _unsupported(what: str) -> ImageUnsupported:
    return ImageUnsupported(
        what,
        hint="this release cannot place such pages: `crit decompress` them, or use a newer release",
        code="criu.pagemap-unsupported",
    )
