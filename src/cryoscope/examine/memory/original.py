"""A mapped file as the archive has it elsewhere: in the root file system's diff, or as a ghost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import NamedTuple

from cryoscope.checkpoint.archive import open_archive
from cryoscope.checkpoint.archive.member import normalise
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.rootfs import ghosts
from cryoscope.checkpoint.rootfs.tars import DIFF


class Original(NamedTuple):
    """A file of the right path: `size` bytes in the member `origin`, which `read(offset, length)` gives."""

    origin: str
    size: int
    read: Callable[[int, int], bytes]


def original_of(checkpoint: Checkpoint, path: str, opened: ExitStack) -> Original | None:
    """The file at `path`, or None; what is opened for it closes with `opened`.

    Raises CryoscopeError for a diff or a ghost that cannot be read.
    """
    for ghost in checkpoint.ghosts:
        if ghost.path == path:
            return _ghost(checkpoint, ghost.member)
    if DIFF not in checkpoint.archive:
        return None
    diff = opened.enter_context(open_archive(checkpoint.archive.source(DIFF)))
    name = normalise(path)
    member = diff.members.get(name)
    if member is None or member.type not in ("file", "hardlink"):
        return None
    return Original(DIFF, member.size, lambda at, length: diff.read_at(name, at, length))


def _ghost(checkpoint: Checkpoint, member: str) -> Original:
    data = ghosts.contents(checkpoint.images, member.rpartition("/")[2])
    return Original(member, len(data), lambda at, length: data[at : at + length])
