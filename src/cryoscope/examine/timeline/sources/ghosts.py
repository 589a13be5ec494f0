"""Times of files that were deleted while open: CRIU keeps those of their inodes (images/ghost-file.proto)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryoscope.checkpoint.rootfs import GhostFile
from cryoscope.checkpoint.rootfs.ghosts import time_of
from cryoscope.examine.timeline.asked import Asked
from cryoscope.examine.timeline.records import Event, Moment

SOURCE = "ghost"
TIMES = (("mtim", "file modified"), ("atim", "file accessed"))


def look(asked: Asked) -> Iterator[Event]:
    """When each was last modified and read, to the microsecond."""
    images = asked.checkpoint.images
    holders = {
        entry.path: entry.open_in[0]
        for entry in asked.checkpoint.filesystem.entries
        if entry.origin == SOURCE and entry.open_in
    }
    for ghost in asked.checkpoint.ghosts:
        entry = images.first(ghost.member.rpartition("/")[2])
        holder = holders.get(ghost.path)
        for field, kind in TIMES:
            time = time_of(entry, field) if entry is not None else None
            if time is not None:
                yield from _event(asked, ghost, kind, Moment(time, "us"), holder)


def _event(asked: Asked, ghost: GhostFile, kind: str, moment: Moment, holder: Any) -> list[Event]:
    return asked.event(
        moment,
        SOURCE,
        kind,
        f"{ghost.path} (deleted while open)",
        pid=holder.pid if holder else None,
        comm=holder.comm if holder else None,
        path=ghost.path,
        path_base64=ghost.path_base64,
        member=ghost.member,
        size=ghost.size,
        mode=ghost.mode,
        uid=ghost.uid,
        gid=ghost.gid,
    )
