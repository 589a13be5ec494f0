"""What `core` says: the files, what is missing in them, what was read from files, who was skipped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryoscope.report.table import Table, fit
from cryoscope.report.units import size


def cores(part: Any, width: int | None) -> list[str]:
    """One row a core; below, one line a file of which pages are missing."""
    table = Table(
        "PID",
        "COMM",
        "THREADS",
        "SEGMENTS",
        "MEMORY",
        "MISSING",
        "CORE",
        right=("PID", "THREADS", "SEGMENTS", "MEMORY", "MISSING"),
        spare=("SEGMENTS", "THREADS", "COMM"),
    )
    for core in part.cores:
        missing = sum(lost.bytes for lost in core.missing)
        stored = size(core.stored)
        table.add(
            core.pid,
            core.comm,
            core.threads,
            core.segments,
            stored,
            size(missing) if missing else "",
            core.path,
        )
    lines = table.lines(width) if part.cores else []
    return lines + fit([*_missing(part), *_filled(part), *_skipped(part)], width)


def _missing(part: Any) -> Iterator[str]:
    for core in part.cores:
        for (name, reason), total in _sums(core.missing, lambda lost: (_name(lost), lost.reason)):
            yield f"missing in {core.pid}: {name}, {size(total)}: {reason}"


def _filled(part: Any) -> Iterator[str]:
    for core in part.cores:
        for (origin, checked), total in _sums(core.filled, lambda part: (part.origin, part.checked)):
            yield f"from files in {core.pid}: {size(total)} out of {origin}, told by {checked}"


def _skipped(part: Any) -> Iterator[str]:
    for skipped in part.skipped:
        yield f"skipped: {skipped.reason} ({skipped.comm})"


def _sums(records: Any, key: Any) -> list[tuple[tuple[str, str], int]]:
    """The bytes of all records of one key, in the order in which keys come."""
    found: dict[tuple[str, str], int] = {}
    for record in records:
        found[key(record)] = found.get(key(record), 0) + record.bytes
    return list(found.items())


def _name(lost: Any) -> str:
    return lost.path or f"[{lost.kind}]"
