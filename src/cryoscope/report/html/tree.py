"""The process tree as rows: each with the rails that lead to it, as `tree` and `pstree` draw them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from cryoscope.report.findings import SEVERITIES
from cryoscope.report.html.shown import command, short, text

DEEPEST = 24
"""Levels that are drawn each further to the right."""

SHOWN = 300
"""Characters of a command line in its row; the page shows all of it when the row is chosen."""


class Row(NamedTuple):
    """One process: `rails` from the left, each `bar`, `gap`, `tee` or `end`."""

    pid: int
    ppid: int
    comm: str
    command: str
    state: str
    user: str
    depth: int
    rails: tuple[str, ...]
    children: int
    severity: str
    findings: int
    dumped: int | None
    marks: tuple[str, ...]


def rows(part: Any, most: int) -> list[Row]:
    """The first `most` processes of a report, depth first."""
    processes = part.processes[:most]
    children = _children(processes)
    last = {below[-1].pid for below in children.values()}
    found, rails = [], dict[int, tuple[str, ...]]()
    worst, sizes = _worst(part.findings), {one.pid: one.sizes.dumped for one in part.memory.processes}
    listening = {h.pid for held in part.sockets if held.socket.listening for h in held.holders}
    parents = {child.pid: parent for parent, below in children.items() for child in below}
    for process in processes:
        above = rails.get(parents.get(process.pid, -1))
        rails[process.pid] = () if above is None else _below(above, process.pid in last)
        severity, count = worst.get(process.pid, ("", 0))
        found.append(
            Row(
                pid=process.pid,
                ppid=process.ppid,
                comm=text(process.comm),
                command=short(command(process), SHOWN),
                state=process.state,
                user=str(process.credentials.uid) if process.credentials else "",
                depth=len(rails[process.pid]),
                rails=rails[process.pid][-DEEPEST:],
                children=len(children.get(process.pid, ())),
                severity=severity,
                findings=count,
                dumped=sizes.get(process.pid),
                marks=_marks(process, process.pid in listening),
            )
        )
    return found


def _children(processes: Sequence[Any]) -> dict[int, list[Any]]:
    """The processes below each, of those that come behind it: an order in which no circle closes."""
    seen, found = set[int](), dict[int, list[Any]]()
    for process in processes:
        if process.ppid in seen:
            found.setdefault(process.ppid, []).append(process)
        seen.add(process.pid)
    return found


def _below(above: tuple[str, ...], last: bool) -> tuple[str, ...]:
    """The rails of a child: what goes on from above, and its own corner."""
    through = tuple({"tee": "bar", "end": "gap"}.get(rail, rail) for rail in above[-DEEPEST:])
    return (*through, "end" if last else "tee")


def _worst(findings: Sequence[Any]) -> dict[int, tuple[str, int]]:
    """The worst severity and the number of findings that name each process."""
    found: dict[int, tuple[str, int]] = {}
    for finding in findings:
        for pid in {one.pid for one in finding.evidence if one.pid is not None}:
            severity, count = found.get(pid, ("info", 0))
            found[pid] = (min(severity, finding.severity, key=SEVERITIES.index), count + 1)
    return found


def _marks(process: Any, listens: bool) -> tuple[str, ...]:
    found = [process.state] if process.state != "alive" else []
    found += ["deleted program"] if process.exe_deleted else []
    return (*found, *(["listens"] if listens else []))
