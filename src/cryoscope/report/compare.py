"""What `compare` says to a person: both sides, a count of each aspect, then each difference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cryoscope.report.table import Table, fit
from cryoscope.report.units import moment, short_id

SIGNS = {"new": "+", "gone": "-", "changed": "~"}
TITLES = {"processes": "COMMAND", "files": "OPEN FILE", "sockets": "SOCKET", "rootfs": "FILE"}


def table(part: Any, width: int | None) -> Iterator[str]:
    """One comparison as tables."""
    yield from fit(_heading(part), width)
    yield ""
    yield from _summary(part, width)
    for aspect in part.summary:
        found = [one for one in part.differences if one.aspect == aspect]
        if found:
            yield ""
            yield from _differences(aspect, found, width)
    yield from fit((f"note: {note}" for note in part.notes), width)


def _heading(part: Any) -> Iterator[str]:
    yield f"--- {part.archive} ({_said(moment(part.checkpointed), _count(part.processes))})"
    who = _said(part.name, short_id(part.id))
    yield f"+++ {part.target} ({_said(who if who not in part.target else '', _count(part.running))})"


def _said(*parts: str | None) -> str:
    return ", ".join(filter(None, parts))


def _count(number: int) -> str:
    return f"{number} process" if number == 1 else f"{number} processes"


def _summary(part: Any, width: int | None) -> list[str]:
    """How much of each aspect is different."""
    if not part.different:
        return fit(["no difference"], width)
    rows = Table("WHAT", "NEW", "GONE", "CHANGED", right=("NEW", "GONE", "CHANGED"))
    for aspect, counts in part.summary.items():
        if counts:
            rows.add(_aspect(aspect), *(counts.get(change) for change in SIGNS))
    return rows.lines(width)


def _aspect(name: str) -> str:
    return {"files": "open files", "rootfs": "changed files"}.get(name, name)


def _differences(aspect: str, found: Sequence[Any], width: int | None) -> list[str]:
    rows = Table(
        "", "PID", "COMM", TITLES[aspect], "FIELD", "THEN", "NOW", right=("PID",), spare=("COMM", "FIELD")
    )
    for one in found:
        rows.add(SIGNS[one.change], one.pid, one.comm, _subject(one), one.field, *_values(one))
    return rows.lines(width)


def _subject(one: Any) -> str:
    """Of a process that is new or gone its command line, which says more than its program."""
    command = one.now or one.then
    return " ".join(command) if one.aspect == "processes" and one.field is None and command else one.subject


def _values(one: Any) -> tuple[str | None, str | None]:
    return (None, None) if one.field is None else (_text(one.then), _text(one.now))


def _text(value: str | list[str] | None) -> str | None:
    return " ".join(value) if isinstance(value, list) else value
