"""A rule: its words checked one by one, its condition checked against the fields of what it is about."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.errors import UsageError
from cryoscope.examine.findings.records import SEVERITIES
from cryoscope.examine.findings.rules.conditions import Condition, condition
from cryoscope.examine.findings.rules.subjects import SUBJECTS
from cryoscope.examine.findings.rules.tree import Entry, Node, parse, wrong

NEEDED = ("name", "title", "severity", "why", "for", "when")
LISTS = ("next", "techniques", "references")
NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
TECHNIQUE = re.compile(r"T[0-9]{4}(?:\.[0-9]{3})?")


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One suspicion of a user's: the words of a finding, what it is about, and when it is true.

    `origin` is the file it is from and `line` where it begins there.
    """

    name: str
    title: str
    severity: str
    why: str
    about: str
    condition: Condition
    next: list[str] = []
    techniques: list[str] = []
    references: list[str] = []
    origin: str = ""
    line: int = 1


def load_rules(text: str, origin: str = "rules", taken: Sequence[str] = ()) -> list[Rule]:
    """The rules in a text of YAML; raises UsageError, which names `origin`, the line and what to do.

    `taken` are names that others have already.
    """
    try:
        return _rules(parse(text), origin, dict.fromkeys(taken, "another rule or detector has"))
    except UsageError as error:
        raise UsageError(f"{origin}: {error.message}", hint=error.hint, code=error.code) from None


def _rules(node: Node, origin: str, names: dict[str, str]) -> list[Rule]:
    if not isinstance(node.value, list) or not node.value:
        raise wrong(node.line, f"the file is {node.kind}", "a file is a list of rules", "rules.shape")
    if len(node.value) > limits.RULES:
        raise wrong(node.line, f"more than {limits.RULES} rules", code="rules.limit")
    found = []
    for one in node.value:
        rule = _rule(one, origin)
        if rule.name in names:
            problem = f"the name {rule.name} is taken: {names[rule.name]} it"
            raise wrong(rule.line, problem, "names are unique", "rules.name")
        names[rule.name] = f"line {rule.line} has"
        found.append(rule)
    return found


def _rule(node: Node, origin: str) -> Rule:
    if not isinstance(node.value, dict):
        raise wrong(node.line, f"a rule is {node.kind}", "a rule is a mapping: - name: ...", "rules.shape")
    keys: dict[str, Entry] = node.value
    for key, entry in keys.items():
        _known(key, entry)
    missing = [key for key in NEEDED if key not in keys]
    if missing:
        raise wrong(node.line, f"the rule has no {missing[0]}", f"it needs {', '.join(NEEDED)}", "rules.key")
    about = _choice(keys["for"], "for", tuple(SUBJECTS))
    return Rule(
        name=_shaped(keys["name"], "name", NAME, "lower-case words with - between: shell-in-tmp"),
        title=_text(keys["title"], "title"),
        severity=_choice(keys["severity"], "severity", SEVERITIES),
        why=_text(keys["why"], "why"),
        about=about,
        condition=condition(keys["when"].node, SUBJECTS[about]),
        next=_texts(keys, "next"),
        techniques=_techniques(keys),
        references=_texts(keys, "references"),
        origin=origin,
        line=node.line,
    )


def _known(key: str, entry: Entry) -> None:
    known = (*NEEDED, *LISTS)
    if key not in known:
        close = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
        raise wrong(entry.line, f"rules have no {key}", hint, "rules.key")


def _text(entry: Entry, key: str) -> str:
    return _words(entry.node, key)


def _words(node: Node, key: str) -> str:
    value: Any = node.value
    if not isinstance(value, str) or not value.strip():
        raise wrong(node.line, f"{key} is {node.kind}", f"{key} takes a text", "rules.value")
    if len(value) > limits.RULE_WORDS:
        raise wrong(node.line, f"{key} is longer than {limits.RULE_WORDS} characters", code="rules.limit")
    return " ".join(value.split())


def _shaped(entry: Entry, key: str, shape: re.Pattern[str], hint: str) -> str:
    value = _text(entry, key)
    if not shape.fullmatch(value) or len(value) > 64:
        raise wrong(entry.line, f"{value[:64]} is no {key}", hint, "rules.value")
    return value


def _choice(entry: Entry, key: str, choices: Sequence[str]) -> str:
    value = _text(entry, key)
    if value not in choices:
        close = difflib.get_close_matches(value, choices, n=1)
        hint = f"did you mean {close[0]}?" if close else f"it is one of {', '.join(choices)}"
        raise wrong(entry.line, f"{key} is not {value[:64]}", hint, "rules.value")
    return value


def _texts(keys: dict[str, Entry], key: str) -> list[str]:
    if key not in keys:
        return []
    entry = keys[key]
    if not isinstance(entry.node.value, list) or len(entry.node.value) > 50:
        raise wrong(entry.line, f"{key} takes a list of at most 50 texts", code="rules.value")
    return [_words(node, key) for node in entry.node.value]


def _techniques(keys: dict[str, Entry]) -> list[str]:
    found = _texts(keys, "techniques")
    for value in found:
        if not TECHNIQUE.fullmatch(value):
            line = keys["techniques"].line
            raise wrong(line, f"{value[:64]} is no technique", "such as T1059 or T1059.004", "rules.value")
    return found
