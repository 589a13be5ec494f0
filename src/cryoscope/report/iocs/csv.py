"""Indicators as comma-separated values (RFC 4180), safe to open in a spreadsheet.

A cell that a spreadsheet would take for a formula begins with an apostrophe (OWASP, "CSV Injection"), and
what is no printable character is spelled out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from cryoscope.text import escape

COLUMNS = (
    "archive",
    "kind",
    "value",
    "confidence",
    "why",
    "count",
    "path",
    "size",
    "source",
    "pid",
    "comm",
    "address",
    "port",
    "seen",
)
FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "|", "%")
"""What a formula begins with, in full width, too."""


def iocs(parts: Iterable[Any]) -> str:
    """One line an indicator with the first place where it was seen, under a line of names."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for part in parts:
        for ioc in part.iocs:
            writer.writerow([cell(value) for value in _row(part, ioc)])
    return out.getvalue()


def _row(part: Any, ioc: Any) -> list[Any]:
    first = ioc.sightings[0] if ioc.sightings else None
    place = [getattr(first, name, None) for name in ("source", "pid", "comm", "address", "port")]
    facts = [ioc.kind, ioc.value, ioc.confidence, ioc.why, ioc.count, ioc.path, ioc.size]
    return [part.archive, *facts, *place, part.seen]


def cell(value: Any) -> str:
    """A value as text that stays text."""
    if value is None:
        return ""
    text = escape(str(value))
    return "'" + text if text.lstrip(" '").startswith(FORMULA) else text
