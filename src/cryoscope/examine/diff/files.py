"""Files: what the container wrote, deleted or holds, in the one and in the other.

Both sides say how a file differs from the image.  What is in one only was written since, or deleted
again; what is in both is compared by its attributes and, where sizes are equal, by SHA-256.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.rootfs.records import FileEntry
from cryoscope.examine.diff.aspect import Aspect, Fields, Sides, difference, fields, picked, value
from cryoscope.examine.diff.records import ADDED, CHANGED, REMOVED, Difference

NAME = "files"
BARE = ("docker", "criu")
"""Engines that write no files beside CRIU's images."""

FROM_IMAGES = ("ghost", "tmpfs")
"""Origins that CRIU itself dumps, whatever the engine."""

PLAIN = ("type", "mode", "size", "uid", "gid", "link", "device")
Key = tuple[str, str]


class Both(NamedTuple):
    """A file that is there on both sides."""

    old: FileEntry
    new: FileEntry


def _compare(sides: Sides) -> Iterator[Difference]:
    old, new = _entries(sides, sides.old, sides.new), _entries(sides, sides.new, sides.old)
    both = [Both(old[key], new[key]) for key in new if key in old and _there(old[key]) and _there(new[key])]
    digests = _digests(sides, both)
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if before is not None and after is not None and _there(before) and _there(after):
            yield from _of_both(Both(before, after), digests.get(key))
        elif before is None or after is None or _there(before) != _there(after):
            yield from _of_one(before, after)


def _entries(sides: Sides, one: Checkpoint, other: Checkpoint) -> dict[Key, FileEntry]:
    """The files of a side by path and origin, without what the other one cannot hold."""
    entries = one.filesystem.entries
    if not _keeps_files(other):
        kept = [entry for entry in entries if entry.origin in FROM_IMAGES]
        if len(kept) < len(entries):
            which = "earlier" if other is sides.old else "later"
            sides.note(f"files: the {which} archive has none but deleted open ones and tmpfs: only those")
        entries = kept
    return {(entry.path, entry.origin): entry for entry in entries}


def _keeps_files(checkpoint: Checkpoint) -> bool:
    """Whether the archive would hold changed files if there were some."""
    if checkpoint.container.engine not in BARE:
        return True
    return any(entry.origin not in FROM_IMAGES for entry in checkpoint.filesystem.entries)


def _there(entry: FileEntry) -> bool:
    return entry.change != "deleted"


def _of_one(old: FileEntry | None, new: FileEntry | None) -> Iterator[Difference]:
    """A file that only one side has, or that one side has deleted from the image."""
    if new is not None:
        yield difference(NAME, ADDED if _there(new) else REMOVED, new.path, new=_shown(new))
    elif old is not None:
        yield difference(NAME, REMOVED if _there(old) else ADDED, old.path, old=_shown(old))


def _shown(entry: FileEntry) -> str:
    size = "" if entry.size is None else f" {entry.size} bytes"
    return f"{entry.change} in {entry.origin}: {entry.mode or entry.type or ''}{size}".rstrip(": ")


def _of_both(both: Both, digests: tuple[str | None, str | None] | None) -> Iterator[Difference]:
    old, new = _fields(both.old), _fields(both.new)
    yield from fields(NAME, both.new.path, old, new)
    if digests is not None and digests[0] != digests[1]:
        yield difference(NAME, CHANGED, both.new.path, field="sha256", old=digests[0], new=digests[1])


def _fields(entry: FileEntry) -> Fields:
    found = picked(entry, *PLAIN)
    found["xattrs"] = [f"{name}={text}" for name, text in sorted(entry.xattrs.items())]
    found["mtime"] = None if entry.mtime_ns is None else _time(entry.mtime_ns)
    found["held"] = value(entry.change == "held")
    return found


def _time(ns: int) -> str:
    """A time in nanoseconds as RFC 3339; one that no calendar has as a number."""
    seconds, rest = divmod(ns, 1_000_000_000)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{seconds}.{rest:09} s"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


def _digests(sides: Sides, both: list[Both]) -> dict[Key, tuple[str | None, str | None]]:
    """The digests of what has bytes on both sides."""
    wanted = [pair for pair in both if pair.old.has_contents and pair.new.has_contents]
    old = sides.old.filesystem.hashes([pair.old for pair in wanted])
    new = sides.new.filesystem.hashes([pair.new for pair in wanted])
    return {
        (after.path, after.origin): (before.sha256, after.sha256)
        for before, after in zip(old, new, strict=True)
    }


ASPECT = Aspect(
    NAME,
    re.compile(r"rootfs-diff|deleted\.files|devshm|volumes/|tmpfs-|ghost-file|remap|file system"),
    _compare,
)
