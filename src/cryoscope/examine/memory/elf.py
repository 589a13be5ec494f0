"""How long an ELF file was, by its header: what of it was mapped is seldom all.

Defined in elf.h (Elf64_Ehdr, Elf64_Phdr and those of 32 bits).  Nothing is raised: a header that makes
no sense tells nothing.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

MAGIC = b"\x7fELF"
IDENT, HEADER = 16, 64
PT_LOAD = 1
TABLE = 1 << 16
"""Bytes of program headers looked at: at most 65,535 of them exist, real files have a dozen."""


class Layout(NamedTuple):
    """Where the fields are: e_phoff to e_shnum, and of a program header type, offset and size in the file."""

    header: struct.Struct
    at: int
    segment: struct.Struct


LAYOUTS = {1: ("IIIHHHHH", 28, "IIxxxxxxxxI"), 2: ("QQIHHHHH", 32, "IxxxxQxxxxxxxxxxxxxxxxQ")}
ORDERS = {1: "<", 2: ">"}


class FileEnd(NamedTuple):
    """Ends in bytes: of what is loaded, and of the section headers, which are the last part as a rule."""

    loaded: int
    sections: int


def is_elf(head: bytes) -> bool:
    """Whether a file begins as ELF files do."""
    return head.startswith(MAGIC)


def file_end(head: bytes) -> FileEnd | None:
    """Where a file whose first page is `head` ends; None if it is no ELF file, or a broken one."""
    layout = _layout(head)
    if layout is None:
        return None
    table, sections, _, _, size, count, section_size, section_count = layout.header.unpack_from(
        head, layout.at
    )
    if size < layout.segment.size or table + size * count > min(len(head), TABLE):
        return None
    loaded = 0
    for at in range(table, table + size * count, size):
        kind, offset, length = layout.segment.unpack_from(head, at)
        if kind == PT_LOAD:
            loaded = max(loaded, offset + length)
    return FileEnd(loaded, sections + section_size * section_count)


def _layout(head: bytes) -> Layout | None:
    if len(head) < HEADER or not is_elf(head) or head[4] not in LAYOUTS or head[5] not in ORDERS:
        return None
    header, at, segment = LAYOUTS[head[4]]
    order = ORDERS[head[5]]
    return Layout(struct.Struct(order + header), at, struct.Struct(order + segment))
