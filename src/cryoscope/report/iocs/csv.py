"""Indicators as comma-separated values (RFC 4180), safe to open in a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cryoscope.report.cells import cell, row

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


def iocs(parts: Iterable[Any]) -> str:
    """One line an indicator with the first place where it was seen, under a line of names."""
    lines = [row(COLUMNS)]
    lines += (row(cell(value) for value in _values(part, ioc)) for part in parts for ioc in part.iocs)
    return "\n".join(lines) + "\n"


def _values(part: Any, ioc: Any) -> list[Any]:
    first = ioc.sightings[0] if ioc.sightings else None
    place = [getattr(first, name, None) for name in ("source", "pid", "comm", "address", "port")]
    facts = [ioc.kind, ioc.value, ioc.confidence, ioc.why, ioc.count, ioc.path, ioc.size]
    return [part.archive, *facts, *place, part.seen]
