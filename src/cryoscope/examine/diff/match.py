"""Which process of one checkpoint is which of the other.

A pid alone says little: it is given out again.  What tells one run of a program from the next is where
the kernel put it: the places of code, heap and stack are drawn by lot at each exec and stay until the
next one (`mm_entry` in CRIU's images/mm.proto), through a restore on whatever engine too.  So:

`start`      the same pid and the same places, in one container seen twice
`zombie`     a zombie has no memory: the same pid, parent and name
`addresses`  other pids and the same places, where no process was matched by `start`
`command`    program and arguments, where nothing has the same places: another run or another container

A process that was forked and ran no program of its own has its parent's places; a later one with the same
pid cannot be told from it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable
from typing import NamedTuple

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.process import Process

ADDR_NO_RANDOMIZE = 0x0040000
"""Bit of personality(2): the places say nothing (linux/personality.h)."""

START, ZOMBIE, ADDRESSES, COMMAND = "start", "zombie", "addresses", "command"

Key = Callable[[Checkpoint, Process], Hashable | None]


class Pair(NamedTuple):
    """One process as both checkpoints have it, and how that is known."""

    old: Process
    new: Process
    by: str

    @property
    def same_places(self) -> bool:
        """Whether an address means the same on both sides."""
        return self.by in (START, ADDRESSES)


class Matching(NamedTuple):
    """The processes of two checkpoints: in both, only in the earlier, only in the later."""

    pairs: list[Pair]
    gone: list[Process]
    new: list[Process]

    @property
    def by(self) -> str:
        """The way in which most processes were matched; empty where none was."""
        return next((pair.by for pair in self.pairs if pair.by != ZOMBIE), "")

    def of(self, pids: Collection[int]) -> Matching:
        """Only the processes with these pids, on either side; all of them for none."""
        if not pids:
            return self
        return Matching(
            [pair for pair in self.pairs if pair.new.pid in pids or pair.old.pid in pids],
            [process for process in self.gone if process.pid in pids],
            [process for process in self.new if process.pid in pids],
        )


def match(old: Checkpoint, new: Checkpoint) -> Matching:
    """The processes of both, each at most once, in the order of the later tree."""
    pairs: list[Pair] = []
    left = {process.pid: process for process in old.processes}
    right = {branch.process.pid: branch.process for branch in new.tree}
    for by, key, wanted in WAYS:
        if wanted(pairs):
            found = _join(by, key, (old, left.values()), (new, right.values()))
            for pair in found:
                del left[pair.old.pid], right[pair.new.pid]
            pairs += found
    order = {branch.process.pid: place for place, branch in enumerate(new.tree)}
    pairs.sort(key=lambda pair: order[pair.new.pid])
    return Matching(pairs, list(left.values()), list(right.values()))


Many = tuple[Checkpoint, Iterable[Process]]


def _join(by: str, key: Key, old: Many, new: Many) -> list[Pair]:
    """Pairs of equal keys; of several with one key the first with the first."""
    waiting: dict[Hashable, list[Process]] = {}
    for process in old[1]:
        value = key(old[0], process)
        if value is not None:
            waiting.setdefault(value, []).append(process)
    pairs = []
    for process in new[1]:
        candidates = waiting.get(key(new[0], process))
        if candidates:
            pairs.append(Pair(candidates.pop(0), process, by))
    return pairs


def _start(checkpoint: Checkpoint, process: Process) -> Hashable | None:
    places = _places(checkpoint, process)
    return None if places is None else (process.pid, places)


def _places(checkpoint: Checkpoint, process: Process) -> Hashable | None:
    """Where a program lies; with its name where the places were not drawn by lot."""
    mm = checkpoint.images.first(f"mm-{process.pid}.img")
    if mm is None:
        return None
    name = process.exe if process.personality & ADDR_NO_RANDOMIZE else None
    return mm.mm_start_code, mm.mm_start_stack, mm.mm_start_brk, name


def _zombie(_: Checkpoint, process: Process) -> Hashable | None:
    return (process.pid, process.ppid, process.comm) if process.state == "zombie" else None


def _command(_: Checkpoint, process: Process) -> Hashable | None:
    return (process.exe, tuple(process.cmdline or ()), process.comm)


def _none_yet(pairs: list[Pair]) -> bool:
    return not any(pair.by != ZOMBIE for pair in pairs)


WAYS: tuple[tuple[str, Key, Callable[[list[Pair]], bool]], ...] = (
    (START, _start, lambda _pairs: True),
    (ZOMBIE, _zombie, lambda _pairs: True),
    (ADDRESSES, _places, _none_yet),
    (COMMAND, _command, _none_yet),
)
"""Each way with its key, and when it is gone: the surest first."""
