"""Regular expressions whose cost is bounded whatever the expression and the text.

The syntax is that of Python's `re`, read by its own parser; what cannot be decided in one pass over the
text (back references, look-around, possessive and atomic groups) is refused.  The rest becomes a program of
a few instructions, run for all its threads at once (Thompson 1968), with the sets of threads kept as states
of an automaton that grows as it is needed.  Nothing is tried twice, so nothing blows up: a character costs
one look in a table, or at worst one walk through the program.

`.` matches any character, `^` and `$` also match at the ends of lines, as in `cryoscope search`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import Any

from cryoscope import limits
from cryoscope.errors import UsageError

_parser: Any = import_module("re._parser")

FLAGS = re.DOTALL | re.MULTILINE
FLAGS_TAKEN = FLAGS | re.IGNORECASE | re.VERBOSE | re.UNICODE
REFUSED = {
    "GROUPREF": "a back reference",
    "GROUPREF_EXISTS": "a condition on a group",
    "ASSERT": "a look-ahead or look-behind",
    "ASSERT_NOT": "a look-ahead or look-behind",
    "ATOMIC_GROUP": "an atomic group",
    "POSSESSIVE_REPEAT": "a possessive repetition",
}

SHOWN = 60
"""Characters of an expression that an error repeats."""

START, NEWLINE, WORD, OTHER, END = range(5)
"""What stands beside a place between characters."""

Test = Callable[[str], bool]


class OutOfBudgetError(Exception):
    """An expression has done all the work that it may."""


class Budget:
    """How much work may still be done: one unit is one instruction tried."""

    def __init__(self, left: int = limits.RULE_WORK) -> None:
        self.left = left

    def spend(self, units: int) -> None:
        """Raises OutOfBudgetError once there is none left."""
        self.left -= units
        if self.left < 0:
            raise OutOfBudgetError


class Expression:
    """A compiled expression; `found_in` says whether it matches anywhere in a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.program = _Compiler().program(_tree(text))
        self._looks = any(kind == "at" for kind, _ in self.program)
        self._forget()

    def _forget(self) -> None:
        self._states: dict[tuple[frozenset[int], int], _State] = {}
        self._known = 0

    def found_in(self, text: str, budget: Budget) -> bool:
        """Whether it matches somewhere in `text`; raises OutOfBudgetError."""
        budget.spend(len(text) // 4 + 1)  # a step that is known takes a quarter of one that is not
        state = self._state(frozenset((0,)), START)
        for character in text:
            following = state.next.get(character)
            if following is None:
                budget.spend(len(self.program))
                following = self._step(state, character)
            if following is MATCHED:
                return True
            state = following
        budget.spend(len(self.program))
        return self._step(state, None) is MATCHED

    def _state(self, threads: frozenset[int], before: int) -> _State:
        key = threads, before if self._looks else OTHER
        if key not in self._states:
            self._states[key] = _State(*key)
        return self._states[key]

    def _step(self, state: _State, character: str | None) -> _State:
        """The state behind `character`; None is the end of the text."""
        alive = self._closure(state, END if character is None else _kind(character))
        if alive is None:
            return MATCHED
        if character is None:
            return state
        moved = {at + 1 for at in alive if self.program[at][1](character)}
        if self._known >= limits.RULE_STATES:
            self._forget()
        self._known += 1
        following = self._state(frozenset(moved | {0}), _kind(character))
        state.next[character] = following
        return following

    def _closure(self, state: _State, behind: int) -> list[int] | None:
        """The instructions that wait for a character, or None where it has matched."""
        todo, seen, alive = list(state.threads), set(state.threads), []
        while todo:
            at = todo.pop()
            kind, argument = self.program[at]
            if kind == "match":
                return None
            if kind == "character":
                alive.append(at)
            elif kind == "split" or argument(state.before, behind):
                ways = argument if kind == "split" else (at + 1,)
                todo += [way for way in ways if way not in seen]
                seen.update(ways)
        return alive


class _State:
    """A set of threads and what stands before them; `next` is filled as characters come."""

    __slots__ = ("before", "next", "threads")

    def __init__(self, threads: frozenset[int], before: int) -> None:
        self.threads = threads
        self.before = before
        self.next: dict[str, _State] = {}


MATCHED = _State(frozenset(), OTHER)


def _kind(character: str) -> int:
    if character == "\n":
        return NEWLINE
    return WORD if character.isalnum() or character == "_" else OTHER


def _tree(text: str) -> Any:
    if len(text) > limits.RULE_EXPRESSION:
        raise _bad(text, f"is longer than {limits.RULE_EXPRESSION} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = _parser.parse(text, FLAGS)
    except RecursionError:
        raise _bad(text, "is nested too deeply") from None
    except (re.error, OverflowError, ValueError) as error:
        raise _bad(text, f"is no regular expression: {error}") from None
    if tree.state.flags & ~FLAGS_TAKEN:
        raise _bad(text, "has flags besides (?i) and (?x)")
    return tree


def _bad(text: str, problem: str) -> UsageError:
    hint = "Python's syntax, without what needs backtracking"
    shown = text if len(text) <= SHOWN else text[:SHOWN] + "..."
    return UsageError(f"{shown} {problem}", hint=hint, code="rules.expression")


# --- compiling ---------------------------------------------------------------------------------
AT: dict[str, Callable[[int, int], bool]] = {
    "AT_BEGINNING": lambda before, _: before in (START, NEWLINE),
    "AT_BEGINNING_STRING": lambda before, _: before == START,
    "AT_END": lambda _, behind: behind in (END, NEWLINE),
    "AT_END_STRING": lambda _, behind: behind == END,
    "AT_BOUNDARY": lambda before, behind: (before == WORD) != (behind == WORD),
    "AT_NON_BOUNDARY": lambda before, behind: (before == WORD) == (behind == WORD),
}
CATEGORIES: dict[str, Test] = {
    "DIGIT": str.isdecimal,
    "SPACE": str.isspace,
    "WORD": lambda c: c.isalnum() or c == "_",
}


class _Compiler:
    """Instructions: `character` and its test, `split` and where to, `at` and the test of a place, `match`."""

    def __init__(self) -> None:
        self.code: list[tuple[str, Any]] = []
        self.steps = 0

    def program(self, tree: Any) -> list[tuple[str, Any]]:
        """The instructions of a whole expression; raises UsageError."""
        try:
            self._items(tree, bool(tree.state.flags & re.IGNORECASE))
        except RecursionError:
            raise UsageError("an expression is nested too deeply", code="rules.expression") from None
        self.code.append(("match", None))
        return self.code

    def _items(self, items: Iterable[tuple[Any, Any]], fold: bool) -> None:
        self._count()
        for op, argument in items:
            self._item(str(op), argument, fold)
            self._count()

    def _count(self) -> None:
        """Repetitions in repetitions multiply: stop them while they are written out."""
        self.steps += 1
        if max(self.steps, len(self.code)) > limits.RULE_PROGRAM:
            raise UsageError(
                f"an expression takes more than {limits.RULE_PROGRAM} steps",
                hint="repetitions such as {1000} count as often as they repeat",
                code="rules.expression",
            )

    def _item(self, op: str, argument: Any, fold: bool) -> None:
        if op in REFUSED:
            raise UsageError(
                f"an expression holds {REFUSED[op]}",
                hint="combine several conditions",
                code="rules.expression",
            )
        if op == "BRANCH":
            self._branch(argument[1], fold)
        elif op == "SUBPATTERN":
            _, added, removed, inside = argument
            self._items(inside, _folds(fold, added, removed))
        elif op in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, inside = argument
            self._repeat((least, most), inside, fold)
        elif op == "AT":
            self.code.append(("at", AT[str(argument)]))
        else:
            self.code.append(("character", _test(op, argument, fold)))

    def _branch(self, ways: Sequence[Any], fold: bool) -> None:
        ends = []
        for way in ways[:-1]:
            split = self._hole()
            self._items(way, fold)
            ends.append(self._hole())
            self.code[split] = ("split", (split + 1, len(self.code)))
        self._items(ways[-1], fold)
        for end in ends:
            self.code[end] = ("split", (len(self.code),))

    def _hole(self) -> int:
        self.code.append(("split", ()))
        return len(self.code) - 1

    def _repeat(self, times: tuple[int, Any], items: Any, fold: bool) -> None:
        least, most = times
        for _ in range(least):
            self._items(items, fold)
        if most is _parser.MAXREPEAT:
            split = self._hole()
            self._items(items, fold)
            self.code.append(("split", (split,)))
            self.code[split] = ("split", (split + 1, len(self.code)))
            return
        splits = []
        for _ in range(int(most) - least):
            splits.append(self._hole())
            self._items(items, fold)
        for split in splits:
            self.code[split] = ("split", (split + 1, len(self.code)))


def _folds(fold: bool, added: int, removed: int) -> bool:
    if (added | removed) & ~re.IGNORECASE:
        raise UsageError("an expression has flags besides (?i:...)", code="rules.expression")
    return (fold or bool(added & re.IGNORECASE)) and not removed & re.IGNORECASE


def _test(op: str, argument: Any, fold: bool) -> Test:
    if op == "ANY":
        return lambda _: True
    if op == "LITERAL":
        return _either(chr(argument).__eq__, fold)
    if op == "NOT_LITERAL":
        return _not(_either(chr(argument).__eq__, fold))
    negated = bool(argument) and str(argument[0][0]) == "NEGATE"
    tests = [_member(str(kind), value, fold) for kind, value in argument[negated:]]
    return _not(_any(tests)) if negated else _any(tests)


def _member(kind: str, value: Any, fold: bool) -> Test:
    if kind == "LITERAL":
        return _either(chr(value).__eq__, fold)
    if kind == "RANGE":
        low, high = map(chr, value)
        return _either(lambda c: low <= c <= high, fold)
    name = str(value).removeprefix("CATEGORY_")
    negated, name = name.startswith("NOT_"), name.removeprefix("NOT_")
    return _not(CATEGORIES[name]) if negated else CATEGORIES[name]


def _either(test: Test, fold: bool) -> Test:
    """In either case of the letter, as `re.IGNORECASE` has it."""
    if not fold:
        return test
    return lambda c: bool(test(c) or any(len(o) == 1 and test(o) for o in (c.lower(), c.upper())))


def _not(test: Test) -> Test:
    return lambda c: not test(c)


def _any(tests: list[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda c: any(test(c) for test in tests)
