"""How large the memory of processes is, what of it was dumped, and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.criu.imageset import ImageSet
from cryoscope.checkpoint.memory import Address, PageIndex, Vma
from cryoscope.checkpoint.memory.vma import SHARED_OBJECT

GROUPS = {
    "heap": "heap",
    "stack": "stack",
    "anon": "anonymous",
    "shadow-stack": "anonymous",
    "file": "file",
    "shared-file": "file",
} | dict.fromkeys(SHARED_OBJECT, "shared")
"""Which sum a kind of mapping counts to; `other` for the rest."""

STATES = ("dumped", "parent", "zero", "file", "lazy", "unknown")


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """Sums in bytes.

    `anonymous` (private, without heap and stack), `heap`, `stack`, `file`, `shared` (objects: shared
    anonymous memory, memfd, System V) and `other` (vdso, vvar, ...) add up to `mapped`, and so do
    `dumped`, `parent`, `zero`, `file_only`, `lazy` and `unknown`, of which the last three are missing.
    """

    mapped: int = 0
    anonymous: int = 0
    heap: int = 0
    stack: int = 0
    file: int = 0
    shared: int = 0
    other: int = 0
    dumped: int = 0
    parent: int = 0
    zero: int = 0
    file_only: int = 0
    lazy: int = 0
    unknown: int = 0

    @property
    def missing(self) -> int:
        """Bytes that the checkpoint does not hold."""
        return self.file_only + self.lazy + self.unknown


class VmaSizes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One mapping: what it is, and its bytes by state."""

    start: Address
    end: Address
    perms: str
    kind: str
    size: int
    path: str | None = None
    path_base64: str | None = None
    shared_object: int | None = None
    dumped: int = 0
    parent: int = 0
    zero: int = 0
    file_only: int = 0
    lazy: int = 0
    unknown: int = 0


class ProcessMemory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One process; `vmas` only where they were asked for."""

    pid: int
    comm: str
    page_size: int
    sizes: Sizes
    vmas: list[VmaSizes] = []


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What the archive holds, in bytes: all pages images, and what of them page maps place.

    A shared object counts once, whoever maps it; pages of parent checkpoints are not in it.
    """

    pages_images: int
    private: int
    shared: int


def memory_of(checkpoint: Checkpoint, pids: Sequence[int], *, vmas: bool) -> list[ProcessMemory]:
    """The processes that have memory, in the order of the tree; raises `UsageError` for unknown pids."""
    for pid in pids:
        checkpoint.process(pid)
    found = []
    for branch in checkpoint.tree:
        process = branch.process
        space = checkpoint.memory(process.pid) if not pids or process.pid in pids else None
        if space is not None:
            each = [sizes_of(vma, space.page_size) for vma in space.vmas if vma.kind != "guard"]
            found.append(
                ProcessMemory(
                    pid=process.pid,
                    comm=process.comm,
                    page_size=space.page_size,
                    sizes=total(_grouped(one) for one in each),
                    vmas=each if vmas else [],
                )
            )
    return found


def sizes_of(vma: Vma, page_size: int) -> VmaSizes:
    """A mapping in bytes."""
    states = {_name(state): getattr(vma, state) * page_size for state in STATES}
    return VmaSizes(
        start=vma.start,
        end=vma.end,
        perms=vma.perms,
        kind=vma.kind,
        size=vma.size,
        path=vma.path,
        path_base64=vma.path_base64,
        shared_object=vma.object_id,
        **states,
    )


def _name(state: str) -> str:
    return "file_only" if state == "file" else state


def _grouped(vma: VmaSizes) -> Sizes:
    states = {_name(state): getattr(vma, _name(state)) for state in STATES}
    return Sizes(mapped=vma.size, **{GROUPS.get(vma.kind, "other"): vma.size}, **states)


def total(parts: Iterable[Sizes]) -> Sizes:
    """The sum, field by field: what several processes share counts with each of them."""
    rows = [[getattr(part, name) for name in Sizes.__struct_fields__] for part in parts]
    sums = (sum(column) for column in zip(*rows, strict=True))
    return Sizes(**dict(zip(Sizes.__struct_fields__, sums, strict=False)))


def stored_in(checkpoint: Checkpoint) -> Stored:
    """What the pages images of a checkpoint hold."""
    images = checkpoint.images
    pages = sum(images.size(name) for name, _ in images.matching("pages-*"))
    shared = {name for name, _ in images.matching("pagemap-shmem-*")}
    private = {name for name, _ in images.matching("pagemap-*")} - shared
    size = checkpoint.page_size
    return Stored(
        pages_images=pages, private=_present(images, private, size), shared=_present(images, shared, size)
    )


def _present(images: ImageSet, names: set[str], page_size: int) -> int:
    """Bytes that page maps place; of several maps of one pages image (a child that had gone) the largest."""
    largest: dict[int, int] = {}
    for name in sorted(names):
        index = PageIndex(images, name, page_size)
        largest[index.pages_id] = max(index.pages_present, largest.get(index.pages_id, 0))
    return sum(largest.values()) * page_size
