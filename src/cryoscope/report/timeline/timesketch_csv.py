"""CSV for Timesketch: the fields of its JSON Lines (`timesketch`), one column each.

The file's name must end in .csv.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cryoscope.report.cells import cell, row
from cryoscope.report.timeline.timesketch import MORE, records

COLUMNS = (
    "message",
    "datetime",
    "timestamp",
    "timestamp_desc",
    "data_type",
    "time_exact",
    "hostname",
    "archive",
    *MORE,
)

OURS = ("datetime", "timestamp_desc", "data_type", "time_exact", "precision", "mode")
"""Columns that hold nothing of a stranger's; a mode begins with a dash."""


def lines(parts: Sequence[Any], notes: list[str]) -> Iterator[str]:
    """The names of the columns, then one line an event."""
    yield row(COLUMNS)
    for record in records(parts, notes):
        yield row([_cell(column, record[column]) for column in COLUMNS])


def _cell(column: str, value: Any) -> object:
    return cell(value) if isinstance(value, str) and column not in OURS else value
