"""What an aspect is, and how two tables of things are compared: what every aspect shares."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.process import Process
from cryoscope.examine.diff.match import Matching, Pair
from cryoscope.examine.diff.records import ADDED, CHANGED, REMOVED, Difference, Value
from cryoscope.text import readable

Fields = Mapping[str, Value | None]


class Sides(NamedTuple):
    """The two checkpoints and who is who; `note` takes what was not compared, and why.

    `pid_after` gives the later pid of each process that is in both by its earlier one, asked for or not.
    """

    old: Checkpoint
    new: Checkpoint
    matching: Matching
    note: Callable[[str], None]
    pid_after: dict[int, int]


class Aspect(NamedTuple):
    """One kind of difference: its name, the parts of an archive it reads, and how it finds them."""

    name: str
    parts: re.Pattern[str]
    compare: Callable[[Sides], Iterable[Difference]]


class Thing(NamedTuple):
    """One row of a table: what it is in a word or two, and what may change of it."""

    shown: Value
    fields: Fields


class Who(NamedTuple):
    """The process that a difference is about; without one it is about the container."""

    pid: int | None = None
    comm: str | None = None
    pid_before: int | None = None


NOBODY = Who()


def who(pair: Pair) -> Who:
    """A process that is in both."""
    before = pair.old.pid if pair.old.pid != pair.new.pid else None
    return Who(pair.new.pid, pair.new.comm, before)


def only(process: Process) -> Who:
    """A process that is in one of both."""
    return Who(process.pid, process.comm)


def compare(
    aspect: str, old: Mapping[str, Thing], new: Mapping[str, Thing], of: Who = NOBODY
) -> Iterator[Difference]:
    """What is in one table only, and what changed of that in both; in the order of the later table."""
    for subject, thing in new.items():
        before = old.get(subject)
        if before is None:
            yield difference(aspect, ADDED, subject, of, new=thing.shown)
        else:
            yield from fields(aspect, subject, before.fields, thing.fields, of)
    for subject, thing in old.items():
        if subject not in new:
            yield difference(aspect, REMOVED, subject, of, old=thing.shown)


def fields(aspect: str, subject: str, old: Fields, new: Fields, of: Who = NOBODY) -> Iterator[Difference]:
    """The fields of one thing that are not the same."""
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name), new.get(name)
        if before != after:
            yield difference(aspect, CHANGED, subject, of, field=name, old=before, new=after)


def difference(aspect: str, change: str, subject: str, of: Who = NOBODY, **given: Any) -> Difference:
    """One difference."""
    return Difference(
        aspect=aspect,
        change=change,
        subject=readable(subject),
        pid=of.pid,
        comm=of.comm,
        pid_before=of.pid_before,
        **given,
    )


def value(found: object) -> Value | None:
    """A field as a difference shows it."""
    if found is None or isinstance(found, str):
        return found
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, list | tuple):
        return [item if isinstance(item, str) else str(item) for item in found]
    return str(found)


def picked(record: msgspec.Struct, *names: str) -> dict[str, Value | None]:
    """Fields of a record by their names."""
    return {name: value(getattr(record, name)) for name in names}


def numbered(subjects: Iterable[tuple[str, Thing]]) -> dict[str, Thing]:
    """A table of things of which several may have one name: the second is `name (2)`."""
    found: dict[str, Thing] = {}
    counts: dict[str, int] = {}
    for subject, thing in subjects:
        counts[subject] = counts.get(subject, 0) + 1
        found[subject if counts[subject] == 1 else f"{subject} ({counts[subject]})"] = thing
    return found


class OneToOne:
    """Numbers of which each stands for one other: the first that it was met with."""

    def __init__(self) -> None:
        self._there: dict[Hashable, Hashable] = {}
        self._back: dict[Hashable, Hashable] = {}

    def same(self, old: Hashable, new: Hashable) -> bool:
        """Whether both may be the same thing."""
        if old in self._there or new in self._back:
            return self._there.get(old) == new and self._back.get(new) == old
        self._there[old], self._back[new] = new, old
        return True


class Renumbered:
    """Inodes of pipes and sockets: a restore gives them anew, where the process went on they stay.

    Two different numbers may mean the same thing only where neither is known on the other side.
    """

    def __init__(self, old: Iterable[Hashable], new: Iterable[Hashable]) -> None:
        self._old, self._new = set(old), set(new)
        self._others = OneToOne()

    def same(self, old: Hashable, new: Hashable) -> bool:
        """Whether both may be the same thing."""
        if old == new:
            return True
        if None in (old, new) or old in self._new or new in self._old:
            return False
        return self._others.same(old, new)
