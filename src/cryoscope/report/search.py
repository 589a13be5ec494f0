"""The table of `search`: one row a hit, with what stands around it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryoscope.report.table import Table, fit

NAMED = 3
"""Processes named in a row; the record has them all."""


def hits(part: Any, width: int | None) -> list[str]:
    """One row a hit; what the search left out as last lines."""
    table = Table(
        "PATTERN",
        "PLACE",
        "PROCESSES",
        "ADDRESS",
        "WHERE",
        "MEMBER",
        "OFFSET",
        "CONTEXT",
        right=("ADDRESS", "OFFSET"),
        spare=("OFFSET", "MEMBER", "PATTERN", "PLACE"),
    )
    for hit in part.hits:
        table.add(
            hit.pattern if hit.encoding != "utf-16le" else f"{hit.pattern} (utf-16le)",
            hit.place,
            _processes(hit),
            None if hit.address is None else f"{hit.address:x}",
            _where(hit),
            hit.member,
            hit.offset,
            _context(hit),
        )
    return [*(table.lines(width) if part.hits else ()), *fit(_ending(part), width)]


def counts(part: Any, width: int | None) -> list[str]:
    """`--count`: how often each pattern was found."""
    table = Table("PATTERN", "HITS", right=("HITS",))
    for name, count in part.counts.items():
        table.add(name, count)
    return [*table.lines(width), *fit(_ending(part), width)]


def files(part: Any, width: int | None) -> list[str]:
    """`--files-only`: the archive, if anything was found in it."""
    return fit([part.archive], width) if any(part.counts.values()) else []


def _ending(part: Any) -> Iterator[str]:
    yield from (f"note: {note}" for note in part.notes)
    if not part.complete:
        yield "note: interrupted: there may be more"


def _processes(hit: Any) -> str:
    """`7/web 12/worker`, of other places with the descriptor: `7/web:4`."""
    named = [f"{owner.pid}/{owner.comm}" for owner in hit.processes]
    named += [f"{held.pid}/{held.comm}:{held.fd}" for held in hit.holders]
    more = len(named) - NAMED
    return " ".join(named[:NAMED]) + (f" +{more}" if more > 0 else "")


def _where(hit: Any) -> str:
    if hit.vma is not None:
        return f"{hit.vma.perms} {hit.path or '[' + hit.vma.kind + ']'}"
    return hit.path or ("" if hit.object is None else str(hit.object))


def _context(hit: Any) -> str:
    """Around the match, printable ASCII as it is and every other byte as a dot."""
    data = bytes.fromhex(hit.context.hex)
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in data)
