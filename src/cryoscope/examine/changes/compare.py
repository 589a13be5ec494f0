"""Files of the container against the base: which were added, and what of the others differs."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from itertools import islice, zip_longest

from msgspec.structs import replace

from cryoscope import limits
from cryoscope.checkpoint.rootfs import Before, FileEntry, FileTree
from cryoscope.checkpoint.rootfs.entries import FORMATS, attributes
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.changes.base import Base, BaseFile
from cryoscope.text import readable, with_bytes

SECOND = 1_000_000_000
KERNELS = ("security.selinux", "trusted.overlay.", "user.overlay.")
"""Attributes that the machine gives to files, not the container."""

CONTENTS = ("type", "content", "link", "device")
"""Differences that make a file a changed one."""


def compared(
    tree: FileTree, entries: Iterable[FileEntry], base: Base | None, damaged: list[Damaged]
) -> Iterator[FileEntry]:
    """The entries with what a base tells of them; those that are not of the root file system as they are.

    What the base has in a replaced folder is deleted, unless it is there again.  A file whose contents
    cannot be read, here or in the base, is named in `damaged` and called changed.
    """
    gone = None if base is None else _Gone(tree, base, damaged)
    for entry in entries:
        if base is None or gone is None or entry.origin != "rootfs":
            yield entry
            continue
        yield _compared(tree, entry, base, damaged)
        if entry.change == "replaced":
            yield from gone.below(entry.raw_path)


class _Gone:
    """What replaced folders held in the image and hold no more: each file once, at most `limits.FILES`."""

    def __init__(self, tree: FileTree, base: Base, damaged: list[Damaged]) -> None:
        self._tree, self._base, self._damaged = tree, base, damaged
        self._folders: set[bytes] = set()
        self._seen: set[bytes] = set()

    def below(self, folder: bytes) -> Iterator[FileEntry]:
        """What is gone below one of them; nothing of one in a folder that was asked for before."""
        room = limits.FILES - len(self._seen)
        if room < 0 or any(above in self._folders for above in _above(folder)):
            return
        self._folders.add(folder)
        found = list(islice((p for p in self._base.below(folder) if p not in self._seen), room + 1))
        self._seen.update(found)
        if len(found) > room:
            problem = f"more than {limits.FILES} files were in replaced folders: the rest is left out"
            self._damaged.append(Damaged("file system", problem, "limit.files"))
        for path in sorted(found[:room]):
            yield from self._deleted(path)

    def _deleted(self, path: bytes) -> Iterator[FileEntry]:
        before, named = self._base.find(path), with_bytes("path", path)
        there = self._tree.find(named["path"])
        if before is not None and (there is None or there.origin != "rootfs"):
            yield FileEntry(**named, change="deleted", origin="rootfs", before=_before(before))


def _above(path: bytes) -> Iterator[bytes]:
    """A path and the folders above it."""
    while path:
        yield path
        path = path.rpartition(b"/")[0]


def _compared(tree: FileTree, entry: FileEntry, base: Base, damaged: list[Damaged]) -> FileEntry:
    before = base.find(entry.raw_path)
    if before is None:
        return replace(entry, change="added") if entry.change == "written" else entry
    if entry.type is None:
        return replace(entry, before=_before(before))
    try:
        differs = list(_differences(tree, entry, before))
    except CryoscopeError as error:
        damaged.append(Damaged(f"{entry.member}: {entry.path}", error.message, error.code))
        differs = ["content"]
    change = entry.change if entry.change == "replaced" else _change(differs)
    return replace(entry, change=change, differs=differs, before=_before(before))


def _change(differs: list[str]) -> str:
    if any(what in CONTENTS for what in differs):
        return "changed"
    return "metadata" if differs else "same"


def _before(found: BaseFile) -> Before:
    return Before(
        type=found.type,
        mode=stat.filemode(found.mode | FORMATS.get(found.type, stat.S_IFREG)),
        size=found.size if found.type == "file" else None,
        uid=found.uid,
        gid=found.gid,
        mtime_ns=found.mtime_ns,
        link=readable(found.link) or None,
    )


def _differences(tree: FileTree, entry: FileEntry, before: BaseFile) -> Iterator[str]:
    kind = "file" if entry.type in ("hardlink", "other") else entry.type
    if kind != before.type:
        yield "type"
    elif kind == "file" and not _same_contents(tree, entry, before):
        yield "content"
    elif kind == "symlink" and entry.link != (readable(before.link) or None):
        yield "link"
    elif entry.device != before.device:
        yield "device"
    yield from _in_metadata(entry, before, kind or "")


def _in_metadata(entry: FileEntry, before: BaseFile, kind: str) -> Iterator[str]:
    """A folder's time tells only that something in it changed, and nobody sets a link's mode."""
    mode = stat.filemode(before.mode | FORMATS.get(before.type, stat.S_IFREG))
    if kind != "symlink" and (entry.mode or "")[1:] != mode[1:]:
        yield "mode"
    if (entry.uid, entry.gid) != (before.uid, before.gid):
        yield "owner"
    if before.xattrs is not None and _told(entry.xattrs) != _told(attributes(before.xattrs)):
        yield "xattrs"
    if kind == "file" and (entry.mtime_ns or 0) // SECOND != before.mtime_ns // SECOND:
        yield "mtime"


def _told(xattrs: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in xattrs.items() if not name.startswith(KERNELS)}


def _same_contents(tree: FileTree, entry: FileEntry, before: BaseFile) -> bool:
    if entry.size != before.size:
        return False
    ours, theirs = _even(tree.blocks(entry)), _even(before.blocks())
    return all(one == other for one, other in zip_longest(ours, theirs))


def _even(blocks: Iterable[bytes], size: int = 1 << 20) -> Iterator[bytes]:
    """The same bytes in blocks of one size."""
    rest = b""
    for block in blocks:
        rest = rest + block if rest else block
        while len(rest) >= size:
            yield rest[:size]
            rest = rest[size:]
    if rest:
        yield rest
