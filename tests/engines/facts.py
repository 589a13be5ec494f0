"""The truth test: what a checkpoint says, fact by fact, against /proc before and after it.

A fact is a key, a tuple that begins with what it is about (`("descriptor", 1, 5, "file", "pos")`), and
a value.  `facts_of_proc` and `facts_of_checkpoint` give the same keys; `compare` holds them together.
Nothing that /proc says may be left out in silence: a key that the checkpoint does not say is a
difference unless `NOT_SAID` has it, with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from facts_proc import UNSURE, facts_of_proc
from facts_said import facts_of_checkpoint
from facts_tables import BETWEEN, LEFT_BEHIND, MOVES, NOT_SAID, PASSING, Rule

__all__ = ["Comparison", "Difference", "Facts", "compare", "facts_of_checkpoint", "facts_of_proc"]

Key = tuple[Any, ...]
Facts = Mapping[Key, Any]

OF_PROCESSES = (
    *("process", "zombie", "thread", "limit", "timer", "cgroup", "namespace", "memory", "descriptor"),
    "mapping",
)
"""Kinds of facts whose key names a pid."""


class Nothing:
    """The value of a fact that somebody does not say."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING = Nothing()


class Difference(NamedTuple):
    """A fact that the checkpoint has wrong."""

    key: Key
    before: Any
    after: Any
    said: Any

    def __str__(self) -> str:
        known = f"{self.before!r}" if self.before == self.after else f"{self.before!r}, then {self.after!r}"
        return f"{'/'.join(map(str, self.key))}: /proc has {known}; the checkpoint {self.said!r}"


@dataclass(frozen=True)
class Comparison:
    """`compared` facts were held against each other; `moved` are those of them that did not stand still.

    `not_said` counts, by rule, what CRIU does not write; `kinds` the compared facts by their kind.
    """

    compared: int
    moved: list[Key]
    wrong: list[Difference]
    not_said: Counter[Rule]
    kinds: Counter[str]

    def __str__(self) -> str:
        head = f"{self.compared} facts compared, {len(self.moved)} moved, {len(self.wrong)} wrong"
        return "\n".join([head, *map(str, self.wrong)])


def compare(before: Facts, after: Facts, said: Facts, *, still: bool) -> Comparison:
    """Hold what a checkpoint said against both readings; `still` workloads may have no exception."""
    judge = Judge(before, after, said, still)
    moved, wrong, not_said, kinds = [], [], Counter[Rule](), Counter[str]()
    for key in before.keys() | after.keys() | said.keys():
        fact = Difference(key, *(facts.get(key, NOTHING) for facts in (before, after, said)))
        if fact.said is NOTHING and (rule := _rule(key, judge.excuses)):
            not_said[rule] += 1
        elif UNSURE not in fact:
            kinds[key[0]] += 1
            if not _stood(fact):
                moved.append(key)
            if not judge.agrees(fact):
                wrong.append(fact)
    return Comparison(kinds.total(), sorted(moved, key=str), sorted(wrong, key=_order), not_said, kinds)


class Judge:
    """Whether a fact is right, and whether it may differ, by the tables and by what else moved."""

    def __init__(self, before: Facts, after: Facts, said: Facts, still: bool) -> None:
        kinds_said = {key[0] for key in said}
        self.excuses = tuple(rule for rule in NOT_SAID if rule.without not in kinds_said)
        self.still = still
        self.passing = _passing(before, after, said)
        self.ran = _ran(before, after, said)

    def agrees(self, fact: Difference) -> bool:
        """Whether what the checkpoint says can be true."""
        if _stood(fact):
            return bool(fact.said == fact.before) or (not self.still and self._only_seems(fact.key))
        if _rule(fact.key, BETWEEN) and _between(fact):
            return True
        if _rule(fact.key, LEFT_BEHIND) and fact.said == fact.before:
            return True
        return not self.still and self._may_move(fact.key)

    def _only_seems(self, key: Key) -> bool:
        """Whether a fact that both readings have could have been another in between."""
        return self._passes(key) or (_pid(key) in self.ran and _rule(key, MOVES) is not None)

    def _may_move(self, key: Key) -> bool:
        return self._passes(key) or _rule(key, MOVES) is not None

    def _passes(self, key: Key) -> bool:
        return not self.passing.isdisjoint((("process", _pid(key)), _subject(key)))


def _stood(fact: Difference) -> bool:
    return fact.before is not NOTHING and bool(fact.before == fact.after)


def _order(fact: Difference) -> str:
    return str(fact.key)


def _pid(key: Key) -> Any:
    return key[1] if key[0] in OF_PROCESSES else None


def _ran(before: Facts, after: Facts, said: Facts) -> set[Any]:
    """Pids of processes with a thread that was not found in one and the same place every time."""
    places = {key for facts in (before, after, said) for key in facts if key[-1] in ("sp", "ip")}
    return {key[1] for key in places if len({facts.get(key, NOTHING) for facts in (before, after, said)}) > 1}


def _passing(before: Facts, after: Facts, said: Facts) -> set[Key]:
    """What is not the same one in both readings (`PASSING`)."""
    subjects = {_subject(key) for facts in (before, after, said) for key in facts}
    return {subject for subject in subjects if subject and not _stayed(subject, before, after)}


def _subject(key: Key) -> Key:
    """What a fact is about, if that can come and go."""
    if key[0] in PASSING:
        return key[: PASSING[key[0]][0]]
    return ("process", key[1]) if key[0] in OF_PROCESSES else ()


def _stayed(subject: Key, before: Facts, after: Facts) -> bool:
    identity = (*subject, PASSING[subject[0]][1])
    found = [facts.get(identity, NOTHING) for facts in (before, after)]
    return found[0] is not NOTHING and found[0] == found[1]


def _between(fact: Difference) -> bool:
    numbers = (fact.before, fact.after, fact.said)
    if not all(isinstance(number, int) for number in numbers):
        return False
    return bool(min(fact.before, fact.after) <= fact.said <= max(fact.before, fact.after))


def _rule(key: Key, rules: tuple[Rule, ...]) -> Rule | None:
    return next((rule for rule in rules if _matches(key, rule.pattern)), None)


def _matches(key: Key, pattern: tuple[str, ...]) -> bool:
    """Each part of a pattern is alternatives for fnmatch, separated by spaces."""
    return len(key) == len(pattern) and all(
        any(fnmatchcase(str(part), choice) for choice in choices.split(" "))
        for part, choices in zip(key, pattern, strict=True)
    )
