"""Indicators as a table."""

from __future__ import annotations

from typing import Any

from cryoscope.report.table import Table, fit


def iocs(part: Any, width: int | None) -> list[str]:
    """One row an indicator, the surest first."""
    table = Table(
        "SURE",
        "KIND",
        "TIMES",
        "PROCESS",
        "SOURCE",
        "VALUE",
        "WHY",
        right=("TIMES",),
        spare=("TIMES", "SOURCE"),
    )
    for ioc in part.iocs:
        first = ioc.sightings[0] if ioc.sightings else None
        table.add(
            ioc.confidence,
            ioc.kind,
            ioc.count,
            _who(first),
            first.source if first else "",
            _value(ioc),
            ioc.why,
        )
    notes = fit((f"note: {note}" for note in part.notes), width)
    return (table.lines(width) if part.iocs else []) + notes


def _value(ioc: Any) -> str:
    return f"{ioc.value} {ioc.path}" if ioc.kind == "sha256" and ioc.path else str(ioc.value)


def _who(sighting: Any) -> str:
    if sighting is None or sighting.pid is None:
        return ""
    return f"{sighting.pid}/{sighting.comm}"
