"""YAML as a tree of our own that knows its lines, of a part of YAML that holds no surprises.

Mappings, sequences and scalars of YAML 1.2's core schema (yaml.org/spec/1.2.2, chapter 10.3) in one document.
Anchors, aliases, tags, merge keys, keys that are no text and keys that come twice are refused; `no` and
`on` are texts.  The library is asked for events only: it makes no objects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.errors import CryoscopeError, UsageError

CURE = "pip install 'cryoscope[rules]'"
CODE = "rules.yaml"

Scalar = str | int | float | bool | None

INTEGER = re.compile(r"[-+]?[0-9]{1,18}|0x[0-9a-fA-F]{1,16}|0o[0-7]{1,20}")
FLOAT = re.compile(r"[-+]?(?:\.[0-9]{1,18}|[0-9]{1,18}(?:\.[0-9]{0,18})?)(?:[eE][-+]?[0-9]{1,3})?")
WORDS: dict[str, bool | None] = {"": None, "~": None}
for _word, _value in (("null", None), ("true", True), ("false", False)):
    WORDS.update(dict.fromkeys((_word, _word.title(), _word.upper()), _value))


class Node(msgspec.Struct, frozen=True):
    """A value and the line it begins in, from 1: a `Scalar`, a list of nodes, or a dict of `Entry`."""

    value: Any
    line: int

    @property
    def kind(self) -> str:
        """What it is, for a person."""
        if isinstance(self.value, dict | list):
            return "a mapping" if isinstance(self.value, dict) else "a list"
        if self.value is None:
            return "nothing"
        names = {bool: "true or false", str: "a text"}
        return names.get(type(self.value), "a number")


class Entry(msgspec.Struct, frozen=True):
    """A value of a mapping, and the line of its key."""

    node: Node
    line: int


def wrong(line: int, problem: str, hint: str = "", code: str = CODE) -> UsageError:
    """The error for a mistake in a line."""
    return UsageError(f"line {line}: {problem}", hint=hint, code=code)


def library() -> Any:
    """PyYAML; raises CryoscopeError with the cure where it is not installed."""
    try:
        import yaml
    except ImportError:
        raise CryoscopeError("PyYAML is not installed", hint=CURE, code="rules.not-installed") from None
    return yaml


def parse(text: str) -> Node:
    """The tree of a text; raises UsageError, which names the line."""
    if len(text) > limits.RULES_FILE:
        raise UsageError(f"is larger than {limits.RULES_FILE} characters", code="rules.limit")
    yaml = library()
    try:
        return _Builder(yaml).build(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise _syntax(error) from None
    except RecursionError:
        raise UsageError("is nested too deeply", code="rules.limit") from None


def _syntax(error: Any) -> UsageError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "is no YAML"
    return wrong(mark.line + 1, str(problem)) if mark else UsageError(str(problem), code=CODE)


class _Builder:
    """Events to nodes, with a stack of its own rather than Python's."""

    def __init__(self, yaml: Any) -> None:
        self.yaml = yaml
        self.open: list[_Open] = [_Open([], 1)]
        self.count = 0
        self.documents = 0

    def build(self, events: Iterator[Any]) -> Node:
        """The one document among the events."""
        for event in events:
            self._event(event)
        documents = self.open[0].nodes
        return documents[0] if documents else Node(None, 1)

    def _event(self, event: Any) -> None:
        line = event.start_mark.line + 1
        self._refuse(event, line)
        if isinstance(event, self.yaml.ScalarEvent):
            self._add(Node(_scalar(event), line))
        elif isinstance(event, self.yaml.MappingStartEvent | self.yaml.SequenceStartEvent):
            if len(self.open) > limits.RULES_DEPTH:
                raise wrong(line, f"is nested deeper than {limits.RULES_DEPTH} levels", code="rules.limit")
            self.open.append(_Open([], line))
        elif isinstance(event, self.yaml.SequenceEndEvent):
            done = self.open.pop()
            self._add(Node(done.nodes, done.line))
        elif isinstance(event, self.yaml.MappingEndEvent):
            done = self.open.pop()
            self._add(Node(_mapping(done.nodes), done.line))

    def _refuse(self, event: Any, line: int) -> None:
        if isinstance(event, self.yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise wrong(line, "a second document begins", "one file is one document: remove the ---")
        if getattr(event, "anchor", None):
            raise wrong(
                line, "anchors and aliases (& and *) are not taken", "write the value out, or quote it"
            )
        if getattr(event, "tag", None):
            raise wrong(line, f"the tag {event.tag} is not taken", "a text that begins with ! needs quotes")

    def _add(self, node: Node) -> None:
        self.count += 1
        if self.count > limits.RULES_NODES:
            raise wrong(node.line, f"more than {limits.RULES_NODES} values", code="rules.limit")
        self.open[-1].nodes.append(node)


class _Open(msgspec.Struct):
    """A collection that has not ended."""

    nodes: list[Node]
    line: int


def _mapping(nodes: list[Node]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for key, value in zip(nodes[::2], nodes[1::2], strict=True):
        if not isinstance(key.value, str):
            raise wrong(key.line, f"a key is {key.kind}", "keys are texts: quote it")
        if key.value in found:
            first = found[key.value].line
            raise wrong(key.line, f"{key.value} stands here again", f"it stands in line {first} already")
        found[key.value] = Entry(value, key.line)
    return found


def _scalar(event: Any) -> Scalar:
    text: str = event.value
    if not event.implicit[0]:  # it was quoted
        return text
    if text in WORDS:
        return WORDS[text]
    if INTEGER.fullmatch(text):
        base = {"0x": 16, "0o": 8}.get(text[:2], 10)
        return int(text[2:] if base != 10 else text, base)
    return float(text) if FLOAT.fullmatch(text) else text
