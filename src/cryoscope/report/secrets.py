"""What `secrets`, `indicators` and `bash-history` say to a person."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cryoscope.report.table import Table, fit

NAMED = 4
"""Processes named in one row; JSON has more."""


def secrets(part: Any, width: int | None) -> list[str]:
    """One row a secret: the worst first."""
    table = Table(
        "SEVERITY",
        "SURE",
        "RULE",
        "VALUE",
        "TIMES",
        "PROCESSES",
        "PLACE",
        "WHERE",
        "DETAILS",
        right=("TIMES",),
        spare=("TIMES", "PLACE", "SURE"),
    )
    for found in part.findings:
        place = found.places[0] if found.places else None
        table.add(
            found.severity,
            found.confidence,
            found.rule,
            found.value,
            found.count,
            _who(found.processes),
            place.place if place else "",
            _where(place) if place else "",
            _details(found.details),
        )
    return (table.lines(width) if part.findings else []) + _notes(part.notes, width)


def rules(lines: Iterable[Any], width: int | None) -> list[str]:
    """One row a rule."""
    table = Table("RULE", "KIND", "SEVERITY", "FINDS")
    for line in lines:
        table.add(line.rule, line.kind, line.severity, line.title)
    return table.lines(width)


def indicators(part: Any, width: int | None) -> list[str]:
    """One row an indicator: the most frequent first."""
    table = Table("KIND", "TIMES", "PROCESSES", "ADDRESS", "NOTE", "VALUE", right=("TIMES", "ADDRESS"))
    for found in part.indicators:
        address = f"{found.address:x}"
        table.add(found.kind, found.count, _who(found.processes), address, found.note, found.value)
    return (table.lines(width) if part.indicators else []) + _notes(part.notes, width)


def history(part: Any, width: int | None) -> list[str]:
    """One row a command, in order of time."""
    table = Table("PID", "COMM", "TIME", "SOURCE", "COMMAND", right=("PID",))
    for line in part.commands:
        table.add(line.pid, line.comm, line.time, line.path or f"{line.address:x}", line.command)
    return (table.lines(width) if part.commands else []) + _notes(part.notes, width)


def _who(processes: Any) -> str:
    shown = ", ".join(f"{one.pid}/{one.comm}" for one in processes[:NAMED])
    return shown + (f" and {len(processes) - NAMED} more" if len(processes) > NAMED else "")


def _where(place: Any) -> str:
    if place.path or place.name:
        return str(place.path or place.name)
    if place.address is not None:
        kind = (place.vma.path or f"[{place.vma.kind}]") if place.vma else ""
        return f"{place.address:x} {kind}".rstrip()
    return str(place.member or "")


def _details(details: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in details.items())


def _notes(notes: Iterable[str], width: int | None) -> list[str]:
    return fit((f"note: {note}" for note in notes), width)
