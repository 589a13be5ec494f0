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

from facts_proc import facts_of_proc
from facts_said import facts_of_checkpoint
from facts_tables import MOVES, NOT_SAID, Rule

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
    passing = set() if still else _passing(before, after, said)
    moved, wrong, not_said, kinds = [], [], Counter[Rule](), Counter[str]()
    for key in before.keys() | after.keys() | said.keys():
        fact = Difference(key, *(facts.get(key, NOTHING) for facts in (before, after, said)))
        if fact.said is NOTHING and (rule := _rule(key, NOT_SAID)):
            not_said[rule] += 1
            continue
        kinds[key[0]] += 1
        stood = fact.before is not NOTHING and fact.before == fact.after
        if not stood:
            moved.append(key)
        if not (fact.said == fact.before if stood else _may_move(fact, passing, still)):
            wrong.append(fact)
    return Comparison(kinds.total(), sorted(moved, key=str), sorted(wrong, key=_order), not_said, kinds)


def _order(fact: Difference) -> str:
    return str(fact.key)


def _passing(before: Facts, after: Facts, said: Facts) -> set[Any]:
    """Pids of processes that are not in both readings: one that got the pid of another is another."""
    stayed = {pid for pid, _ in _births(before) & _births(after)}
    return {key[1] for facts in (before, after, said) for key in facts if key[0] in OF_PROCESSES} - stayed


def _births(facts: Facts) -> set[Any]:
    return {(key[1], value) for key, value in facts.items() if key[2:] == ("started",)}


def _may_move(fact: Difference, passing: set[Any], still: bool) -> bool:
    """Whether a fact that changed between the readings lies between them, or may be anything."""
    if _between(fact):
        return True
    if still:
        return False
    if fact.key[0] in OF_PROCESSES and fact.key[1] in passing:
        return True
    return _rule(fact.key, MOVES) is not None


def _between(fact: Difference) -> bool:
    numbers = (fact.before, fact.after, fact.said)
    if not all(isinstance(number, int) for number in numbers):
        return False
    return min(fact.before, fact.after) <= fact.said <= max(fact.before, fact.after)


def _rule(key: Key, rules: tuple[Rule, ...]) -> Rule | None:
    return next((rule for rule in rules if _matches(key, rule.pattern)), None)


def _matches(key: Key, pattern: tuple[str, ...]) -> bool:
    """Each part of a pattern is alternatives for fnmatch, separated by spaces."""
    return len(key) == len(pattern) and all(
        any(fnmatchcase(str(part), choice) for choice in choices.split(" "))
        for part, choices in zip(key, pattern, strict=True)
    )
