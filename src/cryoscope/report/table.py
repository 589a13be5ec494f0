"""A plain table that fits the terminal: columns give way from the widest down, with an ellipsis.

In a pipe nothing is cut, so that `grep` and `awk` see everything.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from cryoscope.text import escape

GAP = "  "
NARROWEST = 8
READABLE, LAST = 20, 36
"""Columns of a terminal that a cell can be read in, even if it is cut, and one of the last column."""


class Table:
    """Rows under headings.

    `right` names the columns that are aligned to the right (numbers), `spare` those that a narrow
    terminal can do without, the most dispensable first.
    """

    def __init__(self, *headings: str, right: Iterable[str] = (), spare: Sequence[str] = ()) -> None:
        self.headings = headings
        self.spare = spare
        self.right = {index for index, heading in enumerate(headings) if heading in set(right)}
        self.rows: list[list[str]] = []

    def add(self, *cells: object) -> None:
        """One row; None is an empty cell."""
        self.rows.append(["" if cell is None else escape(str(cell)) for cell in cells])

    def lines(self, width: int | None = None) -> list[str]:
        """The table as lines of at most `width` columns of a terminal; uncut without."""
        kept = self._kept()
        natural = {i: max(shown_width(row[i]) for row in [list(self.headings), *self.rows]) for i in kept}
        if width is not None:
            kept = self._fitting(natural, width)
        widths = [natural[i] for i in kept]
        if width is not None:
            widths = squeeze(widths, width - len(GAP) * (len(kept) - 1))
        return [self._line([row[i] for i in kept], kept, widths) for row in [list(self.headings), *self.rows]]

    def _kept(self) -> list[int]:
        """Columns that say something in at least one row."""
        return [i for i in range(len(self.headings)) if not self.rows or any(row[i] for row in self.rows)]

    def _fitting(self, natural: dict[int, int], width: int) -> list[int]:
        """The columns that `width` has room for: spare ones go, and come back where others left enough."""
        gone: list[int] = []
        for heading in self.spare:
            if self._room(natural, gone) <= width:
                break
            gone += [i for i in natural if self.headings[i] == heading]
        for index in reversed(gone):
            fewer = [i for i in gone if i != index]
            if self._room(natural, fewer) <= width:
                gone = fewer
        return [i for i in natural if i not in gone]

    def _room(self, natural: dict[int, int], gone: Sequence[int]) -> int:
        """Columns of a terminal in which all but the `gone` can be read; the last says most."""
        last = len(self.headings) - 1
        wanted = [min(natural[i], LAST if i == last else READABLE) for i in natural if i not in gone]
        return sum(wanted) + len(GAP) * (len(wanted) - 1)

    def _line(self, cells: list[str], kept: list[int], widths: list[int]) -> str:
        padded = (
            pad(shorten(cell, width), width, right=index in self.right)
            for cell, index, width in zip(cells, kept, widths, strict=True)
        )
        return GAP.join(padded).rstrip()


def squeeze(widths: list[int], room: int) -> list[int]:
    """Column widths that add up to at most `room`, the widest cut first, none below `NARROWEST`."""
    if sum(widths) <= room:
        return widths
    left, most = room, 0
    for index, width in enumerate(sorted(widths)):
        most = left // (len(widths) - index)
        if width > most:
            break
        left -= width
    cut = [min(width, max(most, NARROWEST)) for width in widths]
    return _fill(cut, widths, room - sum(cut))


def _fill(cut: list[int], natural: list[int], spare: int) -> list[int]:
    """The columns that a division left over, one each to those that were cut, the last first."""
    for index in reversed(range(len(cut))):
        if spare > 0 and cut[index] < natural[index]:
            cut[index] += 1
            spare -= 1
    return cut


def shown_width(text: str) -> int:
    """Columns of a terminal that `text` takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) > 0 for c in text)


def shorten(text: str, width: int) -> str:
    """`text` cut to `width` columns, with an ellipsis where something is missing."""
    if shown_width(text) <= width:
        return text
    while text and shown_width(text) > width - 1:
        text = text[: -max(1, (shown_width(text) - width) // 2)]
    return text + "…"


def fit(lines: Iterable[str], width: int | None) -> list[str]:
    """Lines of text, made safe, of at most `width` columns; uncut without."""
    safe = [escape(line) for line in lines]
    return safe if width is None else [shorten(line, width) for line in safe]


def pad(text: str, width: int, *, right: bool) -> str:
    """`text` filled up to `width` columns."""
    space = " " * max(0, width - shown_width(text))
    return space + text if right else text + space
