"""Conditions: `all`, `any`, `not` and tests of fields, checked whole and made into functions.

    when:
      all:
        - exe: {startswith: [/tmp/, /dev/shm/]}
        - not: {parent.comm: {eq: apt}}

A mapping with several keys asks for all of them.  A test of a field holds where one of its values passes all
operators at once; a field without a value passes none but `exists: false`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from cryoscope import limits
from cryoscope.errors import UsageError
from cryoscope.examine.findings.rules.expression import Budget
from cryoscope.examine.findings.rules.fields import NUMBER, TEXT, TRUTH, Field, resolve
from cryoscope.examine.findings.rules.operators import OPERATORS, Operator, Test
from cryoscope.examine.findings.rules.subjects import Item, Subject
from cryoscope.examine.findings.rules.tree import Entry, Node, wrong

TYPES: dict[str, tuple[type, ...]] = {TEXT: (str,), NUMBER: (int, float), TRUTH: (bool,)}


class Condition(NamedTuple):
    """Whether it is true of an item; `slow` ones are asked last, `size` is how many conditions it is."""

    test: Callable[[Item, Budget], bool]
    slow: bool = False
    size: int = 1


def condition(node: Node, subject: Subject) -> Condition:
    """The condition that a node is; raises UsageError, which names the line."""
    if not isinstance(node.value, dict) or not node.value:
        raise wrong(node.line, f"a condition is {node.kind}", _SHAPES, "rules.condition")
    parts = [_part(name, entry, subject) for name, entry in node.value.items()]
    found = parts[0] if len(parts) == 1 else _all(parts)
    if found.size > limits.RULE_CONDITIONS:
        raise wrong(node.line, f"more than {limits.RULE_CONDITIONS} conditions", code="rules.limit")
    return found


_SHAPES = "a condition is all: [...], any: [...], not: {...} or FIELD: {OPERATOR: VALUE}"


def _part(name: str, entry: Entry, subject: Subject) -> Condition:
    if name in ("all", "any"):
        inside = [condition(one, subject) for one in items(entry, name)]
        return _all(inside) if name == "all" else _any(inside)
    if name == "not":
        return _not(condition(entry.node, subject))
    with in_line(entry.line):
        field = resolve(name, subject.record, subject.extras)
    return _test(field, entry)


def items(entry: Entry, name: str) -> list[Node]:
    """The elements of a list that holds some; raises UsageError."""
    found = entry.node.value
    if not isinstance(found, list) or not found:
        raise wrong(entry.line, f"{name} is {entry.node.kind}", f"{name} takes a list", "rules.condition")
    return found


@contextmanager
def in_line(line: int) -> Iterator[None]:
    """Names the line in the errors of those that do not know it."""
    try:
        yield
    except UsageError as error:
        if error.message.startswith("line "):
            raise
        raise UsageError(f"line {line}: {error.message}", hint=error.hint, code=error.code) from None


# --- combining ---------------------------------------------------------------------------------
def _all(parts: list[Condition]) -> Condition:
    tests = [part.test for part in sorted(parts, key=lambda part: part.slow)]
    return _joined(parts, lambda item, budget: all(test(item, budget) for test in tests))


def _any(parts: list[Condition]) -> Condition:
    tests = [part.test for part in sorted(parts, key=lambda part: part.slow)]
    return _joined(parts, lambda item, budget: any(test(item, budget) for test in tests))


def _joined(parts: list[Condition], test: Callable[[Item, Budget], bool]) -> Condition:
    return Condition(test, any(part.slow for part in parts), 1 + sum(part.size for part in parts))


def _not(part: Condition) -> Condition:
    return Condition(lambda item, budget: not part.test(item, budget), part.slow, part.size + 1)


# --- a test of a field -------------------------------------------------------------------------
def _test(field: Field, entry: Entry) -> Condition:
    asked = entry.node.value
    if not isinstance(asked, dict) or not asked:
        hint = f"such as {field.path}: {{exists: true}}"
        raise wrong(entry.line, f"{field.path} is compared with {entry.node.kind}", hint, "rules.condition")
    exists = _exists(asked.get("exists"), others=len(asked) > 1)
    tests = [_operation(name, one, field) for name, one in asked.items() if name != "exists"]

    def test(item: Item, budget: Budget) -> bool:
        values = field.values(item)
        if exists is not None and bool(values) != exists:
            return False
        return not tests or any(all(one(value, budget) for one in tests) for value in values)

    return Condition(test, field.slow)


def _exists(entry: Entry | None, *, others: bool) -> bool | None:
    if entry is None:
        return None
    wanted = entry.node.value
    if not isinstance(wanted, bool):
        raise wrong(
            entry.line, f"exists is {entry.node.kind}", "exists: true or exists: false", "rules.value"
        )
    if others and not wanted:
        raise wrong(entry.line, "exists: false leaves nothing to compare", code="rules.value")
    return wanted


def _operation(name: str, entry: Entry, field: Field) -> Test:
    operator = OPERATORS.get(name)
    if operator is None:
        close = difflib.get_close_matches(name, [*OPERATORS, "exists"], n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(OPERATORS)} and exists"
        raise wrong(entry.line, f"there is no operator {name}", hint, "rules.operator")
    if field.kind not in operator.kinds:
        kinds = " or ".join(operator.kinds)
        raise wrong(entry.line, f"{name} is for {kinds}, {field.path} is {field.kind}", code="rules.operator")
    wanted = _wanted(name, operator, entry, field)
    with in_line(entry.line):
        return operator.make(wanted)


def _wanted(name: str, operator: Operator, entry: Entry, field: Field) -> list[Any]:
    node = entry.node
    nodes = node.value if isinstance(node.value, list) and operator.many else [node]
    if name == "in" and not isinstance(node.value, list):
        raise wrong(entry.line, f"in takes a list, not {node.kind}", "in: [a, b]", "rules.value")
    if not nodes or len(nodes) > limits.RULE_VALUES:
        raise wrong(entry.line, f"{name} has {len(nodes)} values", code="rules.value")
    kind = field.kind if operator.takes == "as the field" else operator.takes
    return [_value(one, kind, name) for one in nodes]


def _value(node: Node, kind: str, name: str) -> Any:
    fits = isinstance(node.value, TYPES[kind]) and isinstance(node.value, bool) == (kind == TRUTH)
    if not fits:
        hint = "quote it" if kind == TEXT else ""
        raise wrong(node.line, f"{name} takes {kind} here, not {node.kind}", hint, "rules.value")
    if isinstance(node.value, str):
        if len(node.value) > limits.RULE_WORDS:
            raise wrong(
                node.line, f"a text is longer than {limits.RULE_WORDS} characters", code="rules.limit"
            )
        if not node.value and name not in ("eq", "in"):
            raise wrong(node.line, f"{name} takes no empty text: it is everywhere", code="rules.value")
    return node.value
