"""Processes that came, went, or changed: names, command lines, parents, folders, threads."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.checkpoint.process import Process
from cryoscope.examine.diff.aspect import Aspect, Sides, difference, fields, only, picked, value, who
from cryoscope.examine.diff.match import Pair
from cryoscope.examine.diff.records import ADDED, REMOVED, Difference, Value

NAME = "processes"
PLAIN = (
    "comm",
    "cmdline",
    "exe",
    "exe_deleted",
    "cwd",
    "root",
    "state",
    "umask",
    "oom_score_adj",
    "loginuid",
)


def _compare(sides: Sides) -> Iterator[Difference]:
    for process in sides.matching.new:
        yield difference(NAME, ADDED, "process", only(process), new=_shown(process))
    for process in sides.matching.gone:
        yield difference(NAME, REMOVED, "process", only(process), old=_shown(process))
    after = sides.pid_after
    for pair in sides.matching.pairs:
        old = _fields(pair.old) | _parents(pair.old, after)
        yield from fields(NAME, "process", old, _fields(pair.new) | _parents(pair.new, {}), who(pair))
        yield from _threads(pair)


def _shown(process: Process) -> Value:
    return process.cmdline or f"[{process.comm}]"


def _fields(process: Process) -> dict[str, Value | None]:
    return picked(process, *PLAIN)


def _parents(process: Process, after: dict[int, int]) -> dict[str, Value | None]:
    """Parent, group and session; earlier ones by their later pids."""
    pids = {"ppid": process.ppid, "pgid": process.pgid, "sid": process.sid}
    return {name: str(after.get(pid, pid)) for name, pid in pids.items()}


def _threads(pair: Pair) -> Iterator[Difference]:
    """Threads by number where the pid is the same, else how many there were."""
    old, new = pair.old.threads, pair.new.threads
    if pair.old.pid != pair.new.pid:
        yield from fields(NAME, "process", {"threads": str(len(old))}, {"threads": str(len(new))}, who(pair))
        return
    before, now = {t.tid: t for t in old}, {t.tid: t for t in new}
    for tid in sorted(before.keys() | now.keys()):
        subject = f"thread {tid}"
        if tid not in before:
            yield difference(NAME, ADDED, subject, who(pair), new=now[tid].comm)
        elif tid not in now:
            yield difference(NAME, REMOVED, subject, who(pair), old=before[tid].comm)
        elif tid != pair.new.pid:
            changed = value(before[tid].comm), value(now[tid].comm)
            yield from fields(NAME, subject, {"comm": changed[0]}, {"comm": changed[1]}, who(pair))


ASPECT = Aspect(NAME, re.compile(r"pstree|core-|mm-|files|fs-|ids-|pid |pages|pagemap|remap"), _compare)
