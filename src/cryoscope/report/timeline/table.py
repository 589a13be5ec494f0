"""A timeline for a person: one row an event."""

from __future__ import annotations

from typing import Any

from cryoscope.report.table import Table, fit


def table(part: Any, width: int | None) -> list[str]:
    """The events of one archive in order of time, then what was left out."""
    rows = Table(
        "TIME",
        "ASSUMED",
        "SOURCE",
        "KIND",
        "PID",
        "COMM",
        "PATH",
        "TEXT",
        right=("PID",),
        spare=("ASSUMED", "COMM", "PID", "SOURCE", "PATH"),
    )
    for event in part.events:
        path = event.path if event.path and event.path not in event.text else None
        rows.add(event.time, event.assumed, event.source, event.kind, event.pid, event.comm, path, event.text)
    notes = fit((f"note: {note}" for note in part.notes), width)
    return (rows.lines(width) if part.events else []) + notes
