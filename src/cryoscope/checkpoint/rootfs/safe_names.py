"""Names for files that are written out of an archive: whatever was in it, they are harmless here.

A name is kept where it can be.  What a terminal obeys and what is no UTF-8 is written as `%XX`, as is the
`..` of a path that climbs; a name that is too long, or in the place of another, goes into a folder of its
own (`aside/`), with a number.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from cryoscope.checkpoint.rootfs.records import FileEntry
from cryoscope.text import UNSAFE

NAME, PATH, DEPTH = 200, 1500, 64
"""Bytes of one name and of a path below the folder, and folders in it: file systems take 255 and 4096."""

ASIDE = "aside"

Parts = tuple[str, ...]
E = TypeVar("E", bound=FileEntry)


def in_order(entries: Iterable[E]) -> list[E]:
    """Files in the order in which they are named and written: forward through the archive."""
    return sorted(entries, key=lambda entry: (entry.member or "", entry.offset or 0, entry.path))


class Namer:
    """Gives every file a place below a folder, none of them twice and none below another file."""

    def __init__(self) -> None:
        self._files: set[Parts] = set()
        self._folders: set[Parts] = {()}

    def file(self, entry: FileEntry) -> Parts:
        """Where a file goes."""
        parts = self._plain(entry)
        if not parts or not self._free(parts):
            parts = (ASIDE, f"{len(self._files):06}-{shortened(parts[-1] if parts else 'file')}")
        self._files.add(parts)
        self._folders.update(parts[:end] for end in range(len(parts)))
        return parts

    def folder(self, entry: FileEntry) -> Parts | None:
        """Where a folder goes; None where a file is in its place or the path is too long."""
        parts = self._plain(entry)
        if not parts or self._blocked((*parts, "")):
            return None
        self._folders.update(parts[:end] for end in range(len(parts) + 1))
        return parts

    def _plain(self, entry: FileEntry) -> Parts:
        """Origin and path with harmless names; empty for a path that is too long."""
        parts = tuple(harmless(part) for part in entry.raw_path.split(b"/") if part)
        whole = sum(len(part.encode()) + 1 for part in parts)
        long = any(len(part.encode()) > NAME for part in parts)
        if not parts or long or whole > PATH or len(parts) > DEPTH:
            return ()
        return (entry.origin, *parts)

    def _free(self, parts: Parts) -> bool:
        return parts not in self._files and parts not in self._folders and not self._blocked(parts)

    def _blocked(self, parts: Parts) -> bool:
        """Whether one of the folders above is a file."""
        return any(parts[:end] in self._files for end in range(1, len(parts)))


def harmless(name: bytes) -> str:
    """One name of a path without anything that leads elsewhere or that a terminal obeys."""
    if name in (b".", b".."):
        return "%2E" * len(name)
    text = name.decode("utf-8", "surrogateescape")
    return UNSAFE.sub(lambda match: _percent(match.group()), text).replace("/", "%2F")


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))


def shortened(name: str) -> str:
    """The end of a name, which tells its kind."""
    return name.encode()[-NAME // 2 :].decode("utf-8", "ignore").lstrip(".") or "file"
