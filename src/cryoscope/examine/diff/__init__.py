"""What is different between two checkpoints: one aspect a file.

    with open_archive(old) as a, open_archive(new) as b:
        found = compare(Checkpoint(a), Checkpoint(b))
        for difference in found.diff.differences: ...

First it is told which process is which (`match`); each aspect then gives its differences, and memory is
compared page by page (`memory`).  What a damaged side does not say is `unknown`, never gone (`trust`).

An archive that is compressed is opened with a tap, so that its pages are hashed as they go by:

    tap = PageHashes()
    open_archive(source, tap=tap)
    compare(a, b, hashes=(None, tap))

xxhash is imported with `memory`, when pages are first compared; numpy is not needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import Damaged
from cryoscope.examine.diff import (
    descriptors,
    environment,
    files,
    mappings,
    metadata,
    mounts,
    processes,
    rights,
    sockets,
)
from cryoscope.examine.diff.aspect import Aspect, Sides
from cryoscope.examine.diff.match import COMMAND, match
from cryoscope.examine.diff.records import Diff, Difference, Matched
from cryoscope.examine.diff.trust import Trust, doubted

if TYPE_CHECKING:
    from cryoscope.examine.diff.changed import Asked
    from cryoscope.examine.diff.hashing import PageHashes
    from cryoscope.examine.diff.memory import Memory
    from cryoscope.examine.search import Hit, Pattern, StreamScan

ASPECTS: tuple[Aspect, ...] = (
    processes.ASPECT,
    environment.ASPECT,
    descriptors.ASPECT,
    sockets.ASPECT,
    mounts.ASPECT,
    rights.ASPECT,
    mappings.ASPECT,
    files.ASPECT,
    metadata.ASPECT,
)
"""What is compared, but for memory, in the order in which it is told."""

MEMORY = "memory"
NAMES = (*(aspect.name for aspect in ASPECTS[:-2]), MEMORY, *(aspect.name for aspect in ASPECTS[-2:]))

Progress = Callable[[int, int | None], None]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to compare, and what to show of pages that differ.

    `aspects` are names of `NAMES`; with `pids` only these processes are compared.  `dump` asks for the
    bytes of differing pages, `patterns` are searched in those of the later side that are changed or new.
    """

    aspects: Sequence[str] = NAMES
    pids: Sequence[int] = ()
    dump: Asked | None = None
    patterns: Sequence[Pattern] = ()


class Compared(msgspec.Struct, frozen=True):
    """The differences, and what of either side could not be read."""

    diff: Diff
    old_damaged: list[Damaged]
    new_damaged: list[Damaged]


EVERYTHING = Wanted()


def compare(
    old: Checkpoint,
    new: Checkpoint,
    wanted: Wanted = EVERYTHING,
    *,
    hashes: tuple[PageHashes | None, PageHashes | None] = (None, None),
    tap: StreamScan | None = None,
    progress: Progress | None = None,
) -> Compared:
    """What is different in `new`; `hashes` are the taps that the archives were opened with.

    `tap` is the one of the later archive that searched `wanted.patterns`.  Raises `UsageError` for
    patterns that are none, and for `wanted.pids` that are in neither.
    """
    return _Comparison(old, new, wanted).run(hashes, tap, progress)


class _Comparison:
    def __init__(self, old: Checkpoint, new: Checkpoint, wanted: Wanted) -> None:
        self.wanted = wanted
        self.notes: list[str] = []
        found = match(old, new)
        for pid in wanted.pids:
            if pid not in {process.pid for process in old.processes}:
                new.process(pid)
        after = {pair.old.pid: pair.new.pid for pair in found.pairs}
        self.sides = Sides(old, new, found.of(wanted.pids), self.notes.append, after)
        self._old_damaged: list[Damaged] = []
        self._new_damaged: list[Damaged] = []
        if self.sides.matching.by == COMMAND:
            self.notes.append("no process lies where it lay before: matched by program and arguments")

    def run(
        self,
        hashes: tuple[PageHashes | None, PageHashes | None],
        tap: StreamScan | None,
        progress: Progress | None,
    ) -> Compared:
        """Everything that is wanted."""
        found = {
            one.name: list(one.compare(self.sides)) for one in ASPECTS if one.name in self.wanted.aspects
        }
        memory = self._memory(hashes, tap, progress) if MEMORY in self.wanted.aspects else {}
        sides = self.sides
        old, new = Trust(self.old_damaged), Trust(self.new_damaged)
        told = {
            one.name: list(doubted(found[one.name], one.parts, old, new))
            for one in ASPECTS
            if one.name in found
        }
        diff = Diff(
            matched=[
                Matched(pid=pair.new.pid, pid_before=pair.old.pid, comm=pair.new.comm, by=pair.by)
                for pair in sides.matching.pairs
            ],
            summary={name: _counts(differences) for name, differences in told.items()},
            differences=[difference for differences in told.values() for difference in differences],
            notes=list(dict.fromkeys(self.notes)),
            **memory,
        )
        return Compared(diff, self.old_damaged, self.new_damaged)

    @property
    def old_damaged(self) -> list[Damaged]:
        """What could not be read of the earlier side so far."""
        return list(dict.fromkeys([*self.sides.old.damaged, *self._old_damaged]))

    @property
    def new_damaged(self) -> list[Damaged]:
        """What could not be read of the later side so far."""
        return list(dict.fromkeys([*self.sides.new.damaged, *self._new_damaged]))

    def _memory(
        self,
        hashes: tuple[PageHashes | None, PageHashes | None],
        tap: StreamScan | None,
        progress: Progress | None,
    ) -> dict[str, Any]:
        from cryoscope.examine.diff.memory import Memory

        memory = Memory(self.sides, hashes)
        found: dict[str, Any] = {"memory": memory.compare(progress)}
        if self.wanted.dump is not None:
            found |= self._bytes(memory, self.wanted.dump)
        if self.wanted.patterns:
            found["hits"] = self._hits(memory, tap)
        self._old_damaged += memory.damaged[0]
        self._new_damaged += memory.damaged[1]
        return found

    def _bytes(self, memory: Memory, dump: Asked) -> dict[str, Any]:
        from cryoscope.examine.diff.changed import Bytes

        reader = Bytes(memory)
        found: dict[str, Any] = {"bytes": list(reader.of(dump))}
        self._new_damaged += reader.damaged
        if reader.left_out:
            self.notes.append(f"{reader.left_out} bytes of differing pages are not dumped: ask for a range")
        return found

    def _hits(self, memory: Memory, tap: StreamScan | None) -> list[Hit]:
        from cryoscope.examine.diff.changed import search_changed

        hits, notes = search_changed(memory, self.wanted.patterns, tap=tap, damaged=self._new_damaged)
        self.notes += notes
        return hits


def _counts(differences: Iterable[Difference]) -> dict[str, int]:
    """How many of each kind."""
    found: dict[str, int] = {}
    for difference in differences:
        found[difference.change] = found.get(difference.change, 0) + 1
    return found


__all__ = ["ASPECTS", "NAMES", "Compared", "Diff", "Difference", "Wanted", "compare"]
