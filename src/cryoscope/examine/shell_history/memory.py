"""The writable memory of a process in pieces, as histories are looked for in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cryoscope import limits
from cryoscope.checkpoint.memory import AddressSpace
from cryoscope.errors import CryoscopeError
from cryoscope.examine.memory.reading import Reader

KINDS = ("heap", "anon", "file")
"""Where programs keep what they allocate, and their variables."""


class Part(NamedTuple):
    """Bytes at an address; the address is a multiple of a page."""

    address: int
    data: bytes


class Entry(NamedTuple):
    """A command in memory: where its record is, where its text, the text, and its time in seconds."""

    record: int
    address: int
    text: bytes
    time: int | None


def writable(space: AddressSpace, reader: Reader) -> Iterator[Part]:
    """The bytes of private mappings that may be written, those of each mapping piece by piece."""
    for vma in space.mappings:
        if vma.kind in KINDS and vma.perms.startswith("rw") and vma.perms.endswith("p"):
            for piece in reader.pieces(space, vma.start, vma.end):
                if piece.data is not None:
                    yield Part(piece.start, bytes(piece.data))


def text_at(space: AddressSpace, address: int) -> bytes | None:
    """The string that C has at an address; None where there is none that a person can have typed."""
    try:
        data = space.read_known(address, limits.HISTORY_COMMAND)
    except CryoscopeError:
        return None
    text, end, _ = data.partition(b"\0")
    if not text or not end or not typed(text):
        return None
    return text


def typed(text: bytes) -> bool:
    """Whether text can have been typed: UTF-8 without control characters but tabs and ends of lines."""
    try:
        return all(character.isprintable() or character in "\t\n" for character in text.decode("utf-8"))
    except UnicodeDecodeError:
        return False
