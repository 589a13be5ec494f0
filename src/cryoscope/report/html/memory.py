"""Memory as bars: what kinds of memory a checkpoint holds, whose they are, and where the rest is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from cryoscope.report.html.shown import percent, plural, size, text

KINDS = ("heap", "anonymous", "stack", "file", "shared", "other")
GROUPS = {
    "heap": "heap",
    "stack": "stack",
    "anon": "anonymous",
    "shadow-stack": "anonymous",
    "file": "file",
    "shared-file": "file",
    "shared-anon": "shared",
    "memfd": "shared",
    "sysv-shm": "shared",
}
"""Which colour a kind of mapping has; `other` for the rest.  The page's script has the same table."""

STATES = {
    "dumped": "in this checkpoint",
    "parent": "in its parent",
    "zero": "known to be zero",
    "file_only": "unchanged pages of files, not dumped",
    "missing": "missing",
}
PROCESSES = 40
"""Processes with a bar of their own: those with the most memory."""


class Piece(NamedTuple):
    """A part of a bar: where it begins and how wide it is, as SVG takes it."""

    kind: str
    label: str
    bytes: int
    x: str
    width: str


class Bar(NamedTuple):
    """One bar in pieces, and what it says to those who do not see it."""

    label: str
    pieces: list[Piece]
    total: int


class ProcessBar(NamedTuple):
    """The bar of one process, in proportion to the largest; `hot` places that findings or hits point at."""

    pid: int
    comm: str
    bar: Bar
    hot: int


def by_kind(processes: Iterable[Any]) -> Counter[str]:
    """Bytes that were dumped, or lie in the parent, by kind of mapping."""
    found: Counter[str] = Counter()
    for process in processes:
        for vma in process.vmas:
            found[GROUPS.get(vma.kind, "other")] += vma.dumped + vma.parent
    return found


def kinds(part: Any) -> Bar:
    """What kinds of memory the checkpoint holds."""
    counts = by_kind(part.memory.processes)
    return bar("Memory in the checkpoint", {kind: (kind, counts[kind]) for kind in KINDS})


def states(part: Any) -> Bar:
    """Where the pages of all mappings are."""
    sizes = part.memory.total
    named = {state: (label, getattr(sizes, state)) for state, label in STATES.items() if state != "missing"}
    named["missing"] = (STATES["missing"], sizes.lazy + sizes.unknown)
    return bar("All mapped memory", named)


def bar(label: str, parts: dict[str, tuple[str, int]], whole: int | None = None) -> Bar:
    """Parts beside each other, out of `whole` bytes or of their sum."""
    total = sum(count for _, count in parts.values())
    at, pieces = 0, []
    for kind, (name, count) in parts.items():
        if count:
            pieces.append(
                Piece(kind, name, count, percent(at, whole or total), percent(count, whole or total))
            )
            at += count
    told = ", ".join(f"{piece.label} {size(piece.bytes)}" for piece in pieces)
    return Bar(f"{label}: {size(total)}{': ' if told else ''}{told}", pieces, total)


def of_processes(part: Any, hot: Counter[int]) -> tuple[list[ProcessBar], int]:
    """A bar for each of the largest processes, and how many have none."""
    counted = [(process, by_kind([process])) for process in part.memory.processes]
    counted.sort(key=lambda item: (-sum(item[1].values()), item[0].pid))
    chosen = counted[:PROCESSES]
    chosen += [item for item in counted[PROCESSES:] if hot[item[0].pid]][:PROCESSES]
    largest = max((sum(counts.values()) for _, counts in chosen), default=0)
    bars = [_process(process, counts, largest, hot[process.pid]) for process, counts in chosen]
    return bars, len(counted) - len(bars)


def _process(process: Any, counts: Counter[str], largest: int, hot: int) -> ProcessBar:
    name = f"{process.pid} {text(process.comm)}"
    label = f"{name}, {plural(hot, 'place')} of interest" if hot else name
    found = bar(label, {kind: (kind, counts[kind]) for kind in KINDS}, largest)
    return ProcessBar(process.pid, text(process.comm), found, hot)


def hot_places(part: Any) -> Counter[int]:
    """How many places in each process's memory findings and searched texts point at."""
    found = Counter(
        one.pid
        for finding in part.findings
        for one in finding.evidence
        if one.pid is not None and one.address is not None
    )
    found.update(owner.pid for hit in part.hits for owner in hit.processes)
    return found
