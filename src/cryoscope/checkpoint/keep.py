"""What to keep of the pages of a compressed archive while it streams by: the stacks' ends.

Command lines and environments lie there, a few kilobytes a process; with them `ps` and `inspect`
need one pass over the archive, however large.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive, Member
from cryoscope.checkpoint.criu import pagemap
from cryoscope.checkpoint.criu.imageset import ImageSet
from cryoscope.checkpoint.layout import images_prefix
from cryoscope.checkpoint.memory import PageIndex
from cryoscope.errors import CryoscopeError

PAGES = re.compile(r"^(.*?)pages-(\d+)\.img$")


class StackEnds:
    """A `Keep` for `open_archive`: asked at each pages image, it names the ranges with arguments."""

    def __init__(self) -> None:
        self._pid_of: dict[tuple[str, int], str] = {}
        self._seen: set[str] = set()

    def __call__(self, member: Member, archive: Archive) -> Sequence[tuple[int, int]]:
        """Ranges of `member` (byte offset, length) to keep."""
        match = PAGES.match(member.name)
        if match is None:
            return ()
        prefix, number = match[1], int(match[2])
        if (prefix, number) not in self._pid_of:
            self._learn(archive, prefix)
        pid = self._pid_of.get((prefix, number))
        try:
            return self._ranges(archive, prefix, pid) if pid else ()
        except CryoscopeError:
            return ()

    def _learn(self, archive: Archive, prefix: str) -> None:
        for name in archive.names(prefix + "pagemap-"):
            if name in self._seen or name.startswith(prefix + "pagemap-shmem-"):
                continue
            self._seen.add(name)
            try:
                number = pagemap.pages_id(archive.read_at(name, 0, 64))
            except CryoscopeError:
                continue
            self._pid_of[prefix, number] = name.removeprefix(prefix + "pagemap-").removesuffix(".img")

    def _ranges(self, archive: Archive, prefix: str, pid: str) -> list[tuple[int, int]]:
        images = ImageSet(archive, prefix)
        mm = images.first(f"mm-{pid}.img")
        if mm is None:  # a pre-dump has pages and no mm images: those are in the dump that builds on it
            mm = ImageSet(archive, images_prefix(archive)).first(f"mm-{pid}.img")
        if mm is None:
            return []
        index = PageIndex(images, f"pagemap-{pid}.img", 4096)
        blocks = ((mm.mm_arg_start, mm.mm_arg_end), (mm.mm_env_start, mm.mm_env_end))
        return [
            (extent.offset, extent.length)
            for start, end in blocks
            if 0 < end - start <= limits.ARGUMENTS
            for extent in index.extents(start, end)
            if extent.images is images
        ]
