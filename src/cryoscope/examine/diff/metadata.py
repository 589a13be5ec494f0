"""What the engines wrote beside: names, image, labels, limits, the command that was asked for.

Where two engines wrote, only what both say is compared: they do not say the same things.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from cryoscope.checkpoint.container import Container
from cryoscope.examine.diff.aspect import Aspect, Sides, Thing, compare
from cryoscope.examine.diff.records import Difference

NAME = "metadata"

OF_THE_DUMP = ("engine_evidence", "checkpointed", "checkpointed_from")
"""What must differ between two checkpoints of one container, or says nothing of it."""

DEEPEST = 40
"""Levels of an engine's own facts that are compared: they write under ten."""


def _compare(sides: Sides) -> Iterator[Difference]:
    old, new = _table(sides.old.container), _table(sides.new.container)
    if sides.old.container.engine != sides.new.container.engine:
        both = old.keys() & new.keys()
        old = {name: thing for name, thing in old.items() if name in both}
        new = {name: thing for name, thing in new.items() if name in both}
        sides.note("metadata: two engines wrote it; only what both say is compared")
    yield from compare(NAME, old, new)


def _table(container: Container) -> dict[str, Thing]:
    found: dict[str, Thing] = {}
    fields = msgspec.to_builtins(container)
    environment = (fields.get("process") or {}).pop("env", [])
    for name in OF_THE_DUMP:
        fields.pop(name, None)
    for path, text in _leaves(fields, "", 0):
        found[path] = Thing(text, {"value": text})
    for entry in environment:
        name, _, text = entry.partition("=")
        found[f"process.env.{name}"] = Thing(text, {"value": text})
    return found


def _leaves(tree: Any, path: str, depth: int) -> Iterator[tuple[str, str | list[str]]]:
    """Every value with its path; a list of texts is one value."""
    if isinstance(tree, dict) and depth < DEEPEST:
        for name, item in tree.items():
            yield from _leaves(item, f"{path}.{name}" if path else str(name), depth + 1)
    elif isinstance(tree, list) and any(isinstance(item, dict | list) for item in tree) and depth < DEEPEST:
        for index, item in enumerate(tree):
            yield from _leaves(item, f"{path}[{_name(item, index)}]", depth + 1)
    elif isinstance(tree, list):
        yield path, [str(item) for item in tree]
    elif tree is not None:
        yield path, str(tree)


def _name(item: Any, index: int) -> str:
    """What a list's element is called: a mount is known by where it goes, whatever comes before it."""
    if isinstance(item, dict):
        return str(item.get("destination") or item.get("name") or index)
    return str(index)


ASPECT = Aspect(
    NAME,
    re.compile(r"config\.dump|spec\.dump|status|\.json|network|bind\.mounts|utsns|annotations"),
    _compare,
)
