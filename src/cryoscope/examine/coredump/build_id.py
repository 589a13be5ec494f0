"""The build-id of an ELF file: what linkers write so that a file can be told from all others.

Defined in elf.h: a note of type NT_GNU_BUILD_ID in a PT_NOTE.  CRIU takes the first note of that type,
whatever its name (criu/files-reg.c, get_build_id), and so do we.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from cryoscope import limits
from cryoscope.examine.coredump.elf import NHDR, PHDR, PT_NOTE

NT_GNU_BUILD_ID = 3
LONGEST = 512
"""Bytes that CRIU takes at most."""

Read = Callable[[int, int], bytes]
"""Bytes by offset and length, fewer only where there are no more."""

PLACES = {1: (struct.Struct("<28xI10xHH6x"), 52), 2: (struct.Struct("<32xQ14xHH6x"), 64)}
"""By class (32 and 64 bits): e_phoff, e_phentsize, e_phnum in the header, and its size."""
PHDR_32 = struct.Struct("<IIIIIIII")


def build_id(read: Read) -> bytes | None:
    """The build-id of the file that `read` reads; None if it has none or is no little-endian ELF file."""
    for offset, size in _notes(read):
        data = read(offset, min(size, limits.ELF_NOTES))
        for kind, value in _each(data):
            if kind == NT_GNU_BUILD_ID:
                return value if 0 < len(value) <= LONGEST else None
    return None


def _notes(read: Read) -> Iterator[tuple[int, int]]:
    """Offset and size of each PT_NOTE."""
    head = read(0, 64)
    if head[:4] != b"\x7fELF" or head[4:5] not in (b"\x01", b"\x02") or head[5:6] != b"\x01":
        return
    fields, size = PLACES[head[4]]
    if len(head) < size:
        return
    table, entry, count = fields.unpack(head[: fields.size])
    form = PHDR if head[4] == 2 else PHDR_32
    data = read(table, form.size * min(count, limits.ELF_SEGMENTS)) if entry == form.size else b""
    for row in form.iter_unpack(data[: len(data) // form.size * form.size]):
        if row[0] == PT_NOTE:
            yield (row[2], row[5]) if head[4] == 2 else (row[1], row[4])


def _each(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value of each note."""
    at = 0
    while at + NHDR.size <= len(data):
        name, size, kind = NHDR.unpack_from(data, at)
        start = at + NHDR.size + (name + 3) // 4 * 4
        yield kind, data[start : start + size] if start + size <= len(data) else b""
        at = start + (size + 3) // 4 * 4
