"""Cells of tables that spreadsheets open: nothing in them is a formula, ends a line or hides."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from cryoscope.text import escape

FORMULA = ("=", "+", "-", "@")
"""What makes a spreadsheet calculate a cell, and run what is in it."""


def safe(text: str | None) -> str:
    """A stranger's text for a cell; one that begins as a formula is quoted as spreadsheets do."""
    text = escape(text or "")
    return f"'{text}" if text.startswith(FORMULA) and len(text) > 1 else text


def row(cells: Sequence[object]) -> str:
    """A line of CSV (RFC 4180) without its end."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()
