"""Whether every page that a checkpoint says it holds has its bytes: sizes of pages-N.img against pagemaps.

CRIU writes the present pages of one pagemap back to back into one image (criu/pagemap.c, criu/page-xfer.c);
a pagemap of shared memory is pagemap-shmem-N.img.  A folder that two checkpoints of a container were written
to holds images of processes that had ended by the second: where two pagemaps name one image of pages, that
of a process in pstree.img counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.criu import pagemap
from cryoscope.checkpoint.criu.imageset import ImageSet
from cryoscope.checkpoint.memory import PageIndex
from cryoscope.errors import CryoscopeError, Damaged


class Claim(NamedTuple):
    """A pagemap and the bytes of pages that it says are there; `owned` if a process in pstree.img has it."""

    name: str
    member: str
    wanted: int
    owned: bool


def missing_pages(checkpoint: Checkpoint, alive: Sequence[int]) -> Iterator[Damaged]:
    """Images of pages that are not as large as their pagemaps say, in this checkpoint and its parents.

    `alive` are the pids that have memory.
    """
    owned = {f"pagemap-{pid}" for pid in alive}
    images: ImageSet | None = checkpoint.images
    indexes = _indexes(checkpoint.images, owned, checkpoint.page_size)
    yield from _objects_missing(checkpoint, alive)
    yield from _parents(checkpoint.images, indexes)
    while images is not None:
        yield from _sizes(images, indexes, owned)
        images = images.parent
        indexes = _indexes(images, owned, checkpoint.page_size) if images is not None else []


def _indexes(images: ImageSet, owned: set[str], page_size: int) -> list[PageIndex]:
    """Every pagemap of a set, those of processes first."""
    names = [name for name, _ in images.matching("pagemap-*")]
    return [PageIndex(images, name, page_size) for name in sorted(names, key=lambda name: name not in owned)]


def _sizes(images: ImageSet, indexes: Sequence[PageIndex], owned: set[str]) -> Iterator[Damaged]:
    by_member: dict[str, list[Claim]] = {}
    for index in indexes:
        wanted = index.pages_present * index.page_size
        claim = Claim(index.name, index.member, wanted, index.name in owned)
        by_member.setdefault(index.member, []).append(claim)
    for member, claims in by_member.items():
        counted = [claim for claim in claims if claim.owned] or claims
        found = images.size(member)
        if not any(claim.wanted == found for claim in counted):
            yield _wrong(images, counted[0], found)


def _wrong(images: ImageSet, claim: Claim, found: int) -> Damaged:
    part = images.member(claim.member) or images.prefix + claim.member
    if claim.member not in images:
        problem = f"is missing: {claim.name}.img has {claim.wanted} bytes of pages in it"
    else:
        problem = f"has {found} bytes: {claim.name}.img has {claim.wanted} bytes of pages in it"
    return Damaged(part, problem, "complete.pages")


def _objects_missing(checkpoint: Checkpoint, alive: Sequence[int]) -> Iterator[Damaged]:
    """Shared memory that is mapped and has no pagemap."""
    images, seen = checkpoint.images, set()
    for pid in alive:
        space = checkpoint.memory(pid)
        for vma in space.vmas if space is not None else ():
            name = f"pagemap-shmem-{vma.object_id}"
            if vma.object_id is None or name in seen:
                continue
            seen.add(name)
            if name not in images:
                problem = f"is missing: process {pid} has shared memory of it at {vma.start:#x}"
                yield Damaged(f"{images.prefix}{name}.img", problem, "complete.pages")


def _parents(images: ImageSet, indexes: Sequence[PageIndex]) -> Iterator[Damaged]:
    """Pages that are said to lie in a parent which does not have them."""
    for index in indexes:
        for vaddr, count, flags in zip(index.vaddr, index.count, index.flags, strict=True):
            if flags & pagemap.PRESENT or not flags & pagemap.PARENT:
                continue
            start, length = int(vaddr), int(count) * index.page_size
            if _held(index, start, length) < length:
                problem = f"pages at {start:#x} are said to be in a parent, which does not have them"
                yield Damaged(images.member(index.name) or index.name, problem, "complete.parent")
                break


def _held(index: PageIndex, start: int, length: int) -> int:
    """Bytes of a range that a parent has."""
    try:
        return sum(extent.length for extent in index.extents(start, start + length) if extent.images)
    except (CryoscopeError, RecursionError):
        return 0
