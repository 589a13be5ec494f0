"""Mounts of a sandbox that cannot be written: the kernel refuses what a program goes on to change there.

CRIU mounts what was bound from outside again, with the flags of mountpoints-*.img (criu/mount.c): so the flag
is put there, whatever the engine.  A process that has a file below open for writing could not be restored;
such a mount stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from cryoscope.engines.port import Edits, RestoreOptions
from cryoscope.engines.vetting.edits import merged, of_image
from cryoscope.text import escape

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint

MS_RDONLY = 1
"""The bit of mount(2)."""
WRITING = 3
"""Bits of open(2) that are not 0 where a file may be written."""


def volumes_of(checkpoint: Checkpoint) -> list[str]:
    """Where named volumes were mounted, as Podman and Docker's archives say."""
    listed = checkpoint.container.facts.get("namedVolumes")
    found = (
        each.get("dest") for each in (listed if isinstance(listed, list) else ()) if isinstance(each, dict)
    )
    return [each for each in found if isinstance(each, str)]


def left_writable(checkpoint: Checkpoint, places: Collection[str], options: RestoreOptions) -> list[str]:
    """Remarks on copies of volumes that are not read-only in a sandbox."""
    if options.live or options.writable_volumes:
        return []
    held = written_below(checkpoint, places)
    why = "a process has a file there open for writing"
    return [f"{escape(place)[:200]} can be written: {why}" for place in places if place in held]


def read_only(checkpoint: Checkpoint, places: Collection[str]) -> Edits:
    """Edits that make the mounts at `places` read-only, where that can be."""
    held = written_below(checkpoint, places)
    found = []
    for mount in checkpoint.mounts:
        if mount.mountpoint in places and mount.mountpoint not in held:
            name = f"mountpoints-{mount.namespace}.img"
            member = checkpoint.images.member(name)
            if member is not None:
                found.append(Edits(change={member: [of_image(name, _flagged(mount.id))]}))
    return merged(*found)


def written_below(checkpoint: Checkpoint, places: Collection[str]) -> set[str]:
    """The places below which a process has a file open for writing."""
    found = set()
    for file in checkpoint.files:
        if file.type in ("REG", "FIFO") and getattr(file.entry, "flags", 0) & WRITING:
            name = file.name.decode("utf-8", "surrogateescape")
            found |= {place for place in places if (name + "/").startswith(place.rstrip("/") + "/")}
    return found


def _flagged(number: int) -> Callable[[Any], None]:
    def change(entry: Any) -> None:
        if entry.mnt_id == number:
            entry.flags |= MS_RDONLY

    return change
