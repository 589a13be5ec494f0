"""Mappings of each process: which came and went, and whose permissions changed.

Where an address means the same on both sides a mapping is told by where it begins.  Otherwise only what
is mapped from files, and how, can be compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.memory import Vma
from cryoscope.examine.diff.aspect import Aspect, Sides, Thing, compare, difference, picked, who
from cryoscope.examine.diff.match import Pair
from cryoscope.examine.diff.records import UNKNOWN, Difference

NAME = "mappings"


def _compare(sides: Sides) -> Iterator[Difference]:
    for pair in sides.matching.pairs:
        old, new = _mappings(sides.old, pair.old.pid), _mappings(sides.new, pair.new.pid)
        if old is not None and new is not None:
            yield from _of_pair(pair, old, new)
        elif old is not new:
            yield difference(NAME, UNKNOWN, "mappings", who(pair))


def _mappings(checkpoint: Checkpoint, pid: int) -> list[Vma] | None:
    space = checkpoint.memory(pid)
    return None if space is None else space.mappings


def _of_pair(pair: Pair, old: list[Vma], new: list[Vma]) -> Iterator[Difference]:
    table = _by_address if pair.same_places else _by_file
    yield from compare(NAME, table(old), table(new), who(pair))


def _by_address(vmas: list[Vma]) -> dict[str, Thing]:
    found = {}
    for vma in vmas:
        guard = "guard " if vma.kind == "guard" else ""  # guards lie in other mappings
        fields = picked(vma, "end", "perms", "kind", "path", "deleted") | {"offset": hex(vma.offset)}
        found[f"{guard}{vma.start:x}"] = Thing(_shown(vma), fields)
    return found


def _shown(vma: Vma) -> str:
    return f"{vma.start:x}-{vma.end:x} {vma.perms} {vma.path or f'[{vma.kind}]'}"


def _by_file(vmas: list[Vma]) -> dict[str, Thing]:
    return {
        f"{vma.path} {vma.perms}": Thing(f"{vma.perms} {vma.path}", {"deleted": str(vma.deleted)})
        for vma in vmas
        if vma.path is not None
    }


ASPECT = Aspect(NAME, re.compile(r"mm-|vmas-|files|reg-files|memfd|remap"), _compare)
