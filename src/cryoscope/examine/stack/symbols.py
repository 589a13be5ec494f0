"""Names of functions out of an ELF file: the symbol table, else the one for dynamic linking.

Defined in elf.h (Elf64_Shdr, Elf64_Sym).  Addresses are those in the file.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator

from cryoscope import limits
from cryoscope.examine.coredump.elf import SHDR

SYM = struct.Struct("<IBBHQQ")
SHT_SYMTAB, SHT_DYNSYM = 2, 11
FUNCTIONS = (2, 10)
"""STT_FUNC and STT_GNU_IFUNC."""

Read = Callable[[int, int], bytes]
"""Bytes of the file by offset and length, fewer only where there are no more."""


class Symbols:
    """The functions of a file; empty for what is no ELF file of 64 bits, or has no sections."""

    def __init__(self, read: Read) -> None:
        self._read = read
        rows = sorted(self._functions())
        self._starts = [row[0] for row in rows]
        self._rows = rows

    def name(self, address: int) -> str | None:
        """The function that an address lies in."""
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return None
        start, size, name = self._rows[index]
        return name if address < start + size else None

    def _functions(self) -> Iterator[tuple[int, int, str]]:
        sections = self._sections()
        for kind in (SHT_SYMTAB, SHT_DYNSYM):
            for section in sections:
                if section[1] == kind and section[6] < len(sections):
                    names = sections[section[6]]
                    table = self._read(section[4], min(section[5], limits.STACK_SYMBOLS * SYM.size))
                    yield from _functions(table, self._read(names[4], min(names[5], limits.STACK_NAMES)))

    def _sections(self) -> list[tuple[int, ...]]:
        head = self._read(0, 64)
        if len(head) < 64 or not head.startswith(b"\x7fELF\x02\x01"):
            return []
        table, entry, count = struct.unpack_from("<40xQ10xHH", head)
        if entry != SHDR.size:
            return []
        data = self._read(table, SHDR.size * count)
        return list(SHDR.iter_unpack(data[: len(data) // SHDR.size * SHDR.size]))


def _functions(table: bytes, names: bytes) -> Iterator[tuple[int, int, str]]:
    whole = memoryview(table)[: len(table) // SYM.size * SYM.size]
    for name, info, _, section, value, size in SYM.iter_unpack(whole):
        if info & 15 in FUNCTIONS and section and size and name < len(names):
            end = names.find(b"\0", name, name + limits.STACK_NAME)
            text = names[name : end if end >= 0 else name + limits.STACK_NAME]
            yield value, size, text.decode("utf-8", "backslashreplace")
