"""What `scan` says to a person: findings by severity, each with its evidence and what to do next."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from cryoscope.report.table import Table, fit
from cryoscope.report.units import size
from cryoscope.text import escape

INDENT = "    "
SEVERITIES = ("high", "medium", "low", "info")
"""The worst first."""

NAMED = 10
"""Facts shown with one finding; JSON has more."""

ADVISED = ("high", "medium")
"""Severities of which a person is told why they matter and what to do next."""


def findings(part: Any, width: int | None) -> list[str]:
    """The findings of one archive, the worst first, under a line that counts them."""
    lines = [_summary(part)]
    for severity in SEVERITIES:
        found = [one for one in part.findings if one.severity == severity]
        for finding in found:
            lines += ["", *_finding(finding, width)]
    return lines + fit((f"note: {note}" for note in part.notes), width)


def _summary(part: Any) -> str:
    counts = [(sum(one.severity == severity for one in part.findings), severity) for severity in SEVERITIES]
    told = ", ".join(f"{count} {severity}" for count, severity in counts if count)
    asked = f"{part.detectors} {'detector' if part.detectors == 1 else 'detectors'}"
    return f"{told or 'nothing found'} ({asked})"


def _finding(finding: Any, width: int | None) -> Iterator[str]:
    yield from _wrapped(
        f"{finding.severity.upper()}  {finding.title}  [{finding.detector}]", width, "", "      "
    )
    for evidence in finding.evidence[:NAMED]:
        yield from _evidence(evidence, width)
    left = finding.more + len(finding.evidence) - len(finding.evidence[:NAMED])
    if left:
        where = "" if finding.more else "; --format json names all"
        yield from _wrapped(f"and {left} more{where}", width, f"{INDENT}- ", INDENT + "  ")
    if finding.severity in ADVISED:
        yield from _advice(finding, width)


def _advice(finding: Any, width: int | None) -> Iterator[str]:
    yield from _wrapped(finding.why, width, f"{INDENT}why:  ", INDENT + " " * 6)
    for number, step in enumerate(finding.next):
        yield from _wrapped(step, width, INDENT + ("next: " if number == 0 else " " * 6), INDENT + " " * 8)
    if finding.techniques:
        yield f"{INDENT}ATT&CK: {', '.join(escape(one) for one in finding.techniques)}"


def _evidence(evidence: Any, width: int | None) -> Iterator[str]:
    """One line of who and what, and where the bytes say something of their own a second one."""
    who = "" if evidence.pid is None else f"{evidence.pid}/{evidence.comm} "
    fd = "" if evidence.fd is None else f"fd {evidence.fd} "
    line = f"{who}{fd}{evidence.what}"
    where = _where(evidence)
    yield from _wrapped(f"{line}: {where}" if where else line, width, f"{INDENT}- ", INDENT + "  ")
    if evidence.text:
        yield from fit([f"{INDENT}  | {evidence.text}"], width)


def _where(evidence: Any) -> str:
    parts = []
    if evidence.address is not None:
        parts.append(f"{evidence.address:x}")
    if evidence.vma is not None:
        parts.append(f"{evidence.vma.perms} {evidence.vma.path or f'[{evidence.vma.kind}]'}")
    elif evidence.path is not None:
        parts.append(evidence.path)
    elif evidence.address is None and evidence.member is not None:
        parts.append(
            evidence.member if evidence.offset is None else f"{evidence.member} at {evidence.offset}"
        )
    if evidence.size is not None:
        parts.append(f"({size(evidence.size)})")
    if evidence.sha256 is not None:
        parts.append(f"sha256 {evidence.sha256}")
    return " ".join(parts)


def _wrapped(text: str, width: int | None, first: str, rest: str) -> list[str]:
    """Words in lines of at most `width` columns; in a pipe one line, for `grep`."""
    safe = escape(text)
    if width is None:
        return [first + safe]
    lines = textwrap.wrap(
        safe, max(width, 30), initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    )
    return lines or [first.rstrip()]


def detectors(lines: Iterable[Any], width: int | None) -> list[str]:
    """One row a detector."""
    table = Table("DETECTOR", "SEVERITY", "ATT&CK", "FINDS", spare=("ATT&CK",))
    for line in lines:
        table.add(line.detector, line.severity, ", ".join(line.techniques), line.title)
    return table.lines(width)


def fields(lines: Iterable[Any], width: int | None) -> list[str]:
    """One row a field that rules can ask for."""
    table = Table("FOR", "FIELD", "TYPE")
    for line in lines:
        table.add(line.subject, line.field, line.type)
    return table.lines(width)
