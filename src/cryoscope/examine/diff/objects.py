"""Shared objects (memfd, System V, shared anonymous memory) that are in both checkpoints.

Their numbers may be given anew by a restore: which is which is told by the mappings of processes that
are in both, and of those that nobody maps by their number.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.memory import PageIndex, Vma
from cryoscope.examine.diff.aspect import Sides


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """One object: its numbers, what it is, who maps it, and its page maps where they are there."""

    number: int
    number_before: int
    kind: str
    path: str | None
    pids: list[int]
    old: PageIndex | None
    new: PageIndex | None


def shared_objects(sides: Sides) -> Iterator[Shared]:
    """Every object of both, each once, by its later number."""
    users: dict[tuple[int, int], tuple[Vma, list[int]]] = {}
    for pid, before, vma in _mapped(sides):
        users.setdefault((vma.object_id or 0, before), (vma, []))[1].append(pid)
    for (number, before), (vma, pids) in sorted(users.items(), key=lambda item: item[0]):
        yield _shared(sides, number, before, vma.kind, vma.path, pids)
    done_new, done_old = {key[0] for key in users}, {key[1] for key in users}
    for number in sorted(_numbers(sides.old) & _numbers(sides.new)):
        if number not in done_new and number not in done_old:
            yield _shared(sides, number, number, "unmapped", None, [])


def _mapped(sides: Sides) -> Iterator[tuple[int, int, Vma]]:
    """(pid, earlier number, mapping) of each mapping of an object that begins at one address in both."""
    for pair in sides.matching.pairs:
        old, new = sides.old.memory(pair.old.pid), sides.new.memory(pair.new.pid)
        if old is None or new is None or not pair.same_places:
            continue
        before = {vma.start: vma.object_id for vma in old.mappings if vma.object_id is not None}
        for vma in new.mappings:
            number = before.get(vma.start)
            if vma.object_id is not None and number is not None:
                yield pair.new.pid, number, vma


def _shared(sides: Sides, number: int, before: int, kind: str, path: str | None, pids: list[int]) -> Shared:
    return Shared(
        number=number,
        number_before=before,
        kind=kind,
        path=path,
        pids=sorted(set(pids)),
        old=_index(sides.old, before),
        new=_index(sides.new, number),
    )


def _index(checkpoint: Checkpoint, number: int) -> PageIndex | None:
    name = f"pagemap-shmem-{number}.img"
    if name not in checkpoint.images:
        return None
    return PageIndex(checkpoint.images, name, checkpoint.page_size)


def _numbers(checkpoint: Checkpoint) -> set[int]:
    return {number for _, number in checkpoint.images.matching("pagemap-shmem-*")}
