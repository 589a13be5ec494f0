"""What `yara` says: one row a rule and place, below it what the strings of the rule matched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryoscope.report.table import Table, fit
from cryoscope.report.units import size


def hits(part: Any, width: int | None) -> list[str]:
    """One row a string of a rule, with its first match."""
    table = Table(
        "RULE",
        "PLACE",
        "PROCESSES",
        "ADDRESS",
        "PERMS",
        "WHERE",
        "SCANNED",
        "STRING",
        "COUNT",
        "MATCH",
        right=("SCANNED", "COUNT"),
        spare=("SCANNED", "PERMS", "COUNT", "PLACE"),
    )
    for hit in part.hits:
        for string in hit.strings or [None]:
            table.add(*_cells(hit, string))
    lines = table.lines(width) if part.hits else []
    return lines + fit((f"note: {note}" for note in part.notes), width)


def _cells(hit: Any, string: Any) -> Iterator[Any]:
    first = string.matches[0] if string and string.matches else None
    address = first.address if first is not None else hit.address
    vma = (first.vma if first is not None else None) or hit.vma
    rule = hit.rule if hit.namespace == "default" else f"{hit.namespace}:{hit.rule}"
    yield f"{rule} [{','.join(hit.tags)}]" if hit.tags else rule
    yield hit.place
    yield " ".join(dict.fromkeys(f"{who.pid}/{who.comm}" for who in [*hit.processes, *hit.holders]))
    yield f"{address:012x}" if address is not None else None
    yield vma.perms if vma else None
    yield _where(hit, vma)
    yield size(hit.scanned)
    yield string.identifier if string else None
    yield f"{string.count}{'+' if string.more else ''}" if string else None
    yield first.match if first is not None else None


def _where(hit: Any, vma: Any) -> str:
    if vma is not None:
        return str(vma.path or f"[{vma.kind}]")
    return str(hit.path or hit.member or "")
