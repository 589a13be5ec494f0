"""Added, changed and deleted files of the root file system, as `inspect` shows them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from cryoscope.checkpoint.rootfs.records import FileEntry


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One path of the container that differs from its image.

    `change` is written (added or changed: without the image they look alike), deleted or
    replaced (a directory whose earlier contents are gone).  Times are Unix nanoseconds.
    """

    path: str
    change: str
    path_base64: str | None = None
    type: str | None = None
    mode: str | None = None
    size: int | None = None
    uid: int | None = None
    gid: int | None = None
    mtime_ns: int | None = None
    link: str | None = None


def changes_of(entries: Iterable[FileEntry]) -> list[Change]:
    """Every change of the root file system, by path."""
    found = [_change(entry) for entry in entries if entry.origin == "rootfs"]
    return sorted(found, key=lambda change: change.path)


def _change(entry: FileEntry) -> Change:
    return Change(
        path=entry.path,
        change=entry.change,
        path_base64=entry.path_base64,
        type=entry.type,
        mode=entry.mode,
        size=entry.size if entry.size is not None or entry.type is None else 0,
        uid=entry.uid,
        gid=entry.gid,
        mtime_ns=entry.mtime_ns,
        link=entry.link,
    )
