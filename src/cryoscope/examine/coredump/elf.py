"""The frame of a core file: ELF header, program headers, notes.

Defined in elf.h and written as the kernel does it (fs/binfmt_elf.c, elf_core_dump): class 64, little
endian, x86-64.  All sizes and offsets are bytes.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

EHDR = struct.Struct("<16sHHIQQQIHHHHHH")
PHDR = struct.Struct("<IIQQQQQQ")
SHDR = struct.Struct("<IIQQQQIIQQ")
NHDR = struct.Struct("<III")

IDENT = b"\x7fELF\x02\x01\x01" + bytes(9)
ET_CORE, EM_X86_64, EV_CURRENT = 4, 62, 1
PT_LOAD, PT_NOTE = 1, 4
PF_X, PF_W, PF_R = 1, 2, 4
PN_XNUM = 0xFFFF
"""In e_phnum: the number of program headers is in sh_info of section header 0."""

PAGE = 4096


class Segment(NamedTuple):
    """One PT_LOAD: `size` bytes of address from `start`, of which `filled` are in the file at `offset`.

    ELF reads what is behind `filled` as zero, so that nothing unknown may lie there.
    """

    start: int
    size: int
    filled: int
    flags: int
    offset: int


def header(segments: int, sections_at: int = 0) -> bytes:
    """The ELF header of a core with this many PT_LOADs; `sections_at` is where section header 0 lies."""
    count = segments + 1
    extended = count >= PN_XNUM
    return EHDR.pack(
        IDENT,
        ET_CORE,
        EM_X86_64,
        EV_CURRENT,
        0,
        EHDR.size,
        sections_at if extended else 0,
        0,
        EHDR.size,
        PHDR.size,
        PN_XNUM if extended else count,
        SHDR.size if extended else 0,
        int(extended),
        0,
    )


def extension(segments: int) -> bytes:
    """Section header 0 where e_phnum is too small for the number of program headers; else nothing."""
    count = segments + 1
    if count < PN_XNUM:
        return b""
    return SHDR.pack(0, 0, 0, 0, 0, 1, 0, count, 0, 0)  # sh_size: section headers, sh_info: program headers


def note_header(offset: int, size: int) -> bytes:
    """The PT_NOTE."""
    return PHDR.pack(PT_NOTE, 0, offset, 0, 0, size, 0, 4)


def load_header(segment: Segment) -> bytes:
    """The PT_LOAD of a segment."""
    start, size, filled, flags, offset = segment
    return PHDR.pack(PT_LOAD, flags, offset, start, 0, filled, size, PAGE)


def note(name: bytes, kind: int, data: bytes) -> bytes:
    """One note, padded to four bytes as in every core file."""
    name += b"\0"
    return NHDR.pack(len(name), len(data), kind) + _padded(name) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def aligned(offset: int) -> int:
    """The next page boundary."""
    return -(-offset // PAGE) * PAGE
