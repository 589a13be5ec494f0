"""An outline of nested lines, drawn with the box characters that `tree` and `pstree` use."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.report.table import shorten
from cryoscope.text import escape

DEEPEST = 24
"""Levels that are drawn each further to the right; a chain of a million parents stays readable."""


class Outline:
    """One line and the outlines below it."""

    __slots__ = ("children", "text")

    def __init__(self, text: str) -> None:
        self.text = escape(text)
        self.children: list[Outline] = []

    def add(self, text: str) -> Outline:
        """A line below this one."""
        child = Outline(text)
        self.children.append(child)
        return child

    def fact(self, name: str, value: object) -> None:
        """A line `name: value`, unless there is no value."""
        if value not in (None, "", [], {}):
            self.add(f"{name}: {value}")

    def lines(self, width: int | None = None) -> Iterator[str]:
        """The outline as lines of at most `width` columns; uncut without."""
        yield _cut(self.text, width)
        room = 4 * DEEPEST if width is None else min(4 * DEEPEST, width // 2)
        waiting = [(child, "", index == 0) for index, child in enumerate(reversed(self.children))]
        while waiting:
            outline, rails, last = waiting.pop()
            yield _cut(rails + ("└── " if last else "├── ") + outline.text, width)
            below = rails + ("    " if last else "│   ") if len(rails) < room else rails
            waiting += [(child, below, index == 0) for index, child in enumerate(reversed(outline.children))]


def _cut(line: str, width: int | None) -> str:
    return line if width is None else shorten(line, width)
