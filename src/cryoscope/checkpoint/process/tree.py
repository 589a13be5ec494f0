"""The process tree: who started whom, whatever the images claim.

A tree in an image can be cyclic, name a pid twice or a parent that is not there.  Every process
comes out exactly once, and what was wrong with it is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cryoscope.checkpoint.process.task import Process
from cryoscope.errors import Damaged


class Branch(NamedTuple):
    """One process in the order of the tree: `depth` 0 for a root, `last` if no sibling follows."""

    process: Process
    depth: int
    last: bool


def unique(processes: Sequence[Process], damaged: list[Damaged]) -> list[Process]:
    """The processes without those whose pid came before."""
    seen: dict[int, Process] = {}
    for process in processes:
        if process.pid in seen:
            damaged.append(
                Damaged(f"pid {process.pid}", "stands twice in pstree.img", "process.duplicate-pid")
            )
        else:
            seen[process.pid] = process
    return list(seen.values())


def broken_cycles(parents: dict[int, int]) -> list[int]:
    """Pids to be taken as roots so that every chain of parents ends, lowest pid of each cycle."""
    roots, done = [], set[int]()
    for start in sorted(parents):
        path: dict[int, None] = {}
        pid = start
        while pid in parents and pid not in done and pid not in path:
            path[pid] = None
            pid = parents[pid]
        if pid in path:
            members = list(path)
            roots.append(min(members[members.index(pid) :]))
        done.update(path)
    return roots


def branches(processes: Sequence[Process]) -> list[Branch]:
    """The forest of the processes, depth first, children by pid."""
    parents = {process.pid: process.ppid for process in processes}
    roots = set(broken_cycles(parents)) | {pid for pid, ppid in parents.items() if ppid not in parents}
    children: dict[int, list[Process]] = {}
    for process in sorted(processes, key=lambda process: process.pid, reverse=True):
        if process.pid not in roots:
            children.setdefault(process.ppid, []).append(process)
    first = sorted((p for p in processes if p.pid in roots), key=lambda process: process.pid, reverse=True)
    waiting = [Branch(process, 0, index == 0) for index, process in enumerate(first)]
    found = []
    while waiting:
        branch = waiting.pop()
        found.append(branch)
        waiting += [
            Branch(child, branch.depth + 1, index == 0)
            for index, child in enumerate(children.get(branch.process.pid, []))
        ]
    return found
