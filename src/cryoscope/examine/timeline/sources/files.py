"""Times of the files that the container changed: in its root, tmpfs mounts, /dev/shm and volumes.

A tar keeps when the contents of a file were last modified, and, where whoever packed it asked for that, when
it was last read and when its inode was changed.
"""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.checkpoint.rootfs import FileEntry
from cryoscope.examine.timeline.asked import Asked
from cryoscope.examine.timeline.moments import written
from cryoscope.examine.timeline.records import Event

TIMES = (
    ("mtime_ns", "file modified"),
    ("atime_ns", "file accessed"),
    ("ctime_ns", "file changed"),
)


def look(asked: Asked) -> Iterator[Event]:
    """The times of each file; those of ghosts are in CRIU's images (`sources.ghosts`)."""
    for entry in asked.checkpoint.filesystem.entries:
        if entry.origin == "ghost":
            continue
        for field, kind in TIMES:
            ns = getattr(entry, field)
            if ns is not None:
                yield from _event(asked, entry, kind, ns)


def _event(asked: Asked, entry: FileEntry, kind: str, ns: int) -> list[Event]:
    holder = entry.open_in[0] if entry.open_in else None
    return asked.event(
        written(ns),
        entry.origin,
        kind,
        _text(entry),
        pid=holder.pid if holder else None,
        comm=holder.comm if holder else None,
        path=entry.path,
        path_base64=entry.path_base64,
        member=entry.member,
        size=entry.size,
        mode=entry.mode,
        uid=entry.uid,
        gid=entry.gid,
    )


def _text(entry: FileEntry) -> str:
    what = " ".join(part for part in (entry.type or "", entry.change) if part)
    text = f"{entry.path} ({what}"
    if entry.link:
        text += f", to {entry.link}"
    if entry.open_in:
        text += f", open in {len(entry.open_in)} places" if len(entry.open_in) > 1 else ", open"
    return text + ")"
