"""Cells of tables that spreadsheets open: nothing in them is a formula, ends a line or hides.

What a spreadsheet would take for a formula begins with an apostrophe (OWASP, "CSV Injection"), and what is
no printable character is spelled out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from cryoscope.text import escape

FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "|", "%")
"""What a formula begins with, in full width, too."""

NOTHING = "-"
"""What stands in a cell of which nothing is known."""


def cell(value: Any) -> str:
    """A value as text that stays text."""
    if value is None:
        return ""
    text = escape(str(value))
    return "'" + text if text.lstrip(" '").startswith(FORMULA) and text != NOTHING else text


def row(cells: Iterable[object]) -> str:
    """A line of CSV (RFC 4180) without its end."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()
