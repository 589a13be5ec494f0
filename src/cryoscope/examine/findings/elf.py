"""What detectors ask of ELF headers: whether they can be one, and what sort of file it begins.

Defined in elf.h (Elf64_Ehdr, Elf64_Phdr, Elf64_Dyn and those of 32 bits) and the System V gABI.  Nothing is
raised: bytes that make no sense are no ELF file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

MAGIC = b"\x7fELF"
HEADER = 64
RELOCATABLE, EXECUTABLE, SHARED, CORE = 1, 2, 3, 4
TYPES = {
    RELOCATABLE: "object file",
    EXECUTABLE: "executable",
    SHARED: "shared object or executable",
    CORE: "core file",
}
PT_LOAD, PT_DYNAMIC = 1, 2
DT_TEXTREL, DT_FLAGS, DF_TEXTREL = 22, 30, 4
MACHINES = {
    3: "386",
    8: "MIPS",
    21: "PowerPC64",
    22: "S/390",
    40: "ARM",
    62: "x86-64",
    183: "AArch64",
    243: "RISC-V",
    258: "LoongArch",
}
"""Machines that Linux containers run on."""

PROGRAM_HEADERS = {32: {32}, 64: {56}}
SEGMENTS = 256
"""Program headers of one file: real files have under twenty."""


class Header(NamedTuple):
    """An ELF header: `bits` 32 or 64, the number of its type, the machine's name, its program headers."""

    bits: int
    order: str
    type: int
    machine: str
    table: int
    segments: int

    @property
    def words(self) -> str:
        """What it is, in words."""
        return f"{self.bits}-bit {self.machine} {TYPES[self.type]}"


class Segment(NamedTuple):
    """One program header."""

    type: int
    offset: int
    address: int
    stored: int
    size: int


def header_of(data: bytes) -> Header | None:
    """The header that `data` begins with, if it can be one of a file that Linux runs or links."""
    if len(data) < HEADER or not data.startswith(MAGIC) or data[4] not in (1, 2) or data[5] not in (1, 2):
        return None
    bits, order = 32 * data[4], "<>"[data[5] - 1]
    kind, machine, version = struct.unpack_from(order + "HHI", data, 16)
    table = struct.unpack_from(order + ("I" if bits == 32 else "Q"), data, 28 if bits == 32 else 32)[0]
    own, size, count = struct.unpack_from(order + "HHH", data, 40 if bits == 32 else 52)
    if kind not in TYPES or machine not in MACHINES or version != 1 or own not in (52, 64):
        return None
    if count and (size not in PROGRAM_HEADERS[bits] or not table):
        return None
    if kind in (EXECUTABLE, SHARED) and not 0 < count <= SEGMENTS:
        return None
    return Header(bits, order, kind, MACHINES[machine], table, count)


def segments_of(data: bytes, header: Header) -> Iterator[Segment]:
    """The program headers of a file, as far as `data` goes."""
    size = 32 if header.bits == 32 else 56
    for at in range(header.table, header.table + size * header.segments, size):
        if at + size > len(data):
            return
        if header.bits == 32:
            kind, offset, address, _, stored, whole = struct.unpack_from(header.order + "6I", data, at)
        else:
            kind, _, offset, address, _, stored, whole = struct.unpack_from(header.order + "2I5Q", data, at)
        yield Segment(kind, offset, address, stored, whole)


def extent_of(data: bytes, header: Header) -> int:
    """Bytes of address that the file's segments take together, 0 where the headers do not tell."""
    loaded = [s for s in segments_of(data, header) if s.type == PT_LOAD]
    if not loaded:
        return 0
    return max(s.address + s.size for s in loaded) - min(s.address for s in loaded)


def has_text_relocations(data: bytes) -> bool:
    """Whether the loader has to write into the code of this file."""
    header = header_of(data[:HEADER])
    if header is None:
        return False
    form = struct.Struct(header.order + ("2I" if header.bits == 32 else "2Q"))
    for segment in segments_of(data, header):
        if segment.type == PT_DYNAMIC:
            part = data[segment.offset : segment.offset + min(segment.stored, 1 << 16)]
            entries = form.iter_unpack(part[: len(part) // form.size * form.size])
            return any(
                tag == DT_TEXTREL or (tag == DT_FLAGS and flags & DF_TEXTREL) for tag, flags in entries
            )
    return False
