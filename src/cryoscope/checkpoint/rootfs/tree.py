"""Every file of the container that the archive knows of, whichever tar or image holds it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive
from cryoscope.checkpoint.rootfs.contents import BLOCK, Contents, Place, Read
from cryoscope.checkpoint.rootfs.deleted import deleted_in_list
from cryoscope.checkpoint.rootfs.entries import emptied, entry_of, layer_entry, merged, together
from cryoscope.checkpoint.rootfs.records import ORIGINS, FileEntry, OpenIn
from cryoscope.checkpoint.rootfs.tars import Held, empty_tars, tars
from cryoscope.errors import CryoscopeError, Damaged

RANK = {origin: rank for rank, origin in enumerate(ORIGINS)}

Unlinked = tuple[FileEntry, Read | None]
"""A file that was deleted while open, and how its bytes are read where the archive has them."""


class Surroundings(NamedTuple):
    """What other rooms know: where the root of a tar was mounted, who uses a file, what was deleted.

    `opened` is asked for the bytes of a path and where its file system was mounted; `made` whether the
    engine made a file of that file system.
    """

    mountpoint: Callable[[Held], str]
    opened: Callable[[bytes, str], list[OpenIn]]
    made: Callable[[FileEntry, str], bool]
    unlinked: Callable[[], Iterable[Unlinked]]


class FileTree:
    """The files that the container wrote, deleted or held; made by `Checkpoint.filesystem`.

    What could not be read is named in `damaged`.
    """

    def __init__(self, archive: Archive, prefix: str, around: Surroundings, damaged: list[Damaged]) -> None:
        self._archive = archive
        self._prefix = prefix
        self._around = around
        self._damaged = damaged
        self._contents = Contents(archive)
        self._digests: dict[Place, str | None] = {}

    # --- what there is ----------------------------------------------------------------------
    @cached_property
    def entries(self) -> list[FileEntry]:
        """Every file, by path, then in the order of `ORIGINS`; at most `limits.FILES` of them."""
        self._damaged += empty_tars(self._archive, self._prefix)
        found: list[FileEntry] = []
        for held in tars(self._archive, self._prefix, self._damaged):
            if len(found) <= limits.FILES:
                found += self._in_tar(held)
        found = merged([*found, *deleted_in_list(self._archive, self._damaged)])
        found = [*together(emptied(found)), *self._unlinked()]
        if len(found) > limits.FILES:
            problem = f"more than {limits.FILES} changed files: the rest is left out"
            self._damaged.append(Damaged("file system", problem, "limit.files"))
        return sorted(found[: limits.FILES], key=_order)

    def _in_tar(self, held: Held) -> Iterator[FileEntry]:
        """The files of one tar; what is wrong with it is named."""
        try:
            layer = self._contents.layer(held.member)
        except CryoscopeError as error:
            self._damaged.append(Damaged(held.member, error.message, error.code))
            return
        self._damaged += [msgspec.structs.replace(d, part=f"{held.member}: {d.part}") for d in layer.damaged]
        below = self._around.mountpoint(held)
        for member in layer.members.values():
            if held.origin == "rootfs":
                entry = layer_entry(member, held.member)
            else:
                entry = entry_of(member, below, held.origin, held.member) if member.name else None
            if entry is not None:
                self._contents.enter(entry, member.name)
                yield self._joined(entry, below)

    def _joined(self, entry: FileEntry, mountpoint: str) -> FileEntry:
        if entry.type is None:
            return entry
        opened = self._around.opened(entry.raw_path, mountpoint)
        made = self._around.made(entry, mountpoint)
        return msgspec.structs.replace(entry, open_in=opened, by_engine=made) if opened or made else entry

    def _unlinked(self) -> Iterator[FileEntry]:
        for entry, read in self._around.unlinked():
            if read is not None:
                self._contents.enter_whole(entry, read)
            yield entry

    @cached_property
    def _by_path(self) -> dict[str, FileEntry]:
        found: dict[str, FileEntry] = {}
        for entry in sorted(self.entries, key=lambda entry: RANK[entry.origin]):
            found.setdefault(entry.path, entry)
        return found

    def find(self, path: str) -> FileEntry | None:
        """The file at this path, that of the root file system before others; None if there is none."""
        return self._by_path.get(path)

    # --- what is in them --------------------------------------------------------------------
    def blocks(self, entry: FileEntry) -> Iterator[bytes]:
        """The bytes of a file in blocks of at most 1 MiB; raises `CryoscopeError` (see `Contents`)."""
        return self._contents.blocks(entry)

    def read(self, entry: FileEntry, limit: int) -> bytes:
        """The first `limit` bytes of a file; raises `CryoscopeError`."""
        found = bytearray()
        for block in self._contents.blocks(entry, max(1, min(limit, BLOCK))):
            found += block[: limit - len(found)]
            if len(found) >= limit:
                break
        return bytes(found)

    def hashes(self, entries: Iterable[FileEntry]) -> Iterator[FileEntry]:
        """The entries with the SHA-256 of those that are files, in the order in which they are given.

        They are read in the order of the archive; one that cannot be read is named in `damaged`.
        """
        wanted = list(entries)
        digests: dict[int, str | None] = {}
        for place in sorted(range(len(wanted)), key=lambda place: _place(wanted[place])):
            if wanted[place].has_contents:
                digests[place] = self._digest(wanted[place])
        for place, entry in enumerate(wanted):
            yield msgspec.structs.replace(entry, sha256=digests.get(place, entry.sha256))

    def _digest(self, entry: FileEntry) -> str | None:
        """The digest of a file, of hard links once: a million of them can share a gigabyte."""
        place = self._contents.place(entry)
        if place is None:
            return self._computed(entry)
        if place not in self._digests:
            self._digests[place] = self._computed(entry)
        return self._digests[place]

    def _computed(self, entry: FileEntry) -> str | None:
        digest = hashlib.sha256()
        try:
            for block in self.blocks(entry):
                digest.update(block)
        except CryoscopeError as error:
            self._damaged.append(Damaged(f"{entry.member}: {entry.path}", error.message, error.code))
            return None
        return digest.hexdigest()


def _order(entry: FileEntry) -> tuple[str, int]:
    return entry.path, RANK[entry.origin]


def _place(entry: FileEntry) -> tuple[str, int]:
    return entry.member or "", entry.offset or 0
