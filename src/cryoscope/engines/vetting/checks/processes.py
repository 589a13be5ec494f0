"""What else of a process CRIU restores as root: limits, scheduling, the score of the out-of-memory killer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryoscope.checkpoint.container.dumps import objects, take
from cryoscope.checkpoint.criu.names import RLIMITS, UNLIMITED
from cryoscope.engines.port import HARD, NOTE
from cryoscope.engines.vetting.case import Case
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.edits import of_image
from cryoscope.engines.vetting.records import Fix, Found

REAL_TIME = (1, 2, 6)
"""SCHED_FIFO, SCHED_RR, SCHED_DEADLINE (linux/sched.h)."""

UNKILLABLE = -1000


def look(case: Case) -> Iterator[Found]:
    """Every thread, and the list of processes itself."""
    limits = {
        str(limit.get("type")): limit["hard"]
        for limit in objects(take(case.spec, "process", "rlimits", kind=list))
        if isinstance(limit.get("hard"), int)
    }
    if "pstree.img" not in case.images or "inventory.img" not in case.images:
        yield case.found("criu.incomplete", "lacks pstree.img or inventory.img", case.prefix, weight=HARD)
    for name, tid in case.images.matching("core-*"):
        core = case.images.first(name)
        if core is not None:
            yield from _of(case, core, name, tid, limits)


def _of(case: Case, core: Any, name: str, tid: int, limits: dict[str, int]) -> Iterator[Found]:
    member = case.images.member(name) or name
    where = f"{member} pid {tid}"
    if core.HasField("thread_core") and core.thread_core.sched_policy in REAL_TIME:
        fixes = [Fix(member, change=of_image(member, _calm))] if case.sandbox else []
        yield case.found("criu.scheduler", "runs before all others (a real-time policy)", where, *fixes)
    if not core.HasField("tc"):
        return
    if core.tc.HasField("oom_score_adj") and core.tc.oom_score_adj == UNKILLABLE:
        fixes = [Fix(member, change=of_image(member, _mortal))] if case.sandbox else []
        yield case.found("criu.oom", "is never killed when memory runs out", where, *fixes)
    for kind, limit in zip(RLIMITS, core.tc.rlimits.rlimits, strict=False):
        if kind in limits and limit.max > limits[kind] >= 0:
            most = "no" if limit.max == UNLIMITED else str(limit.max)
            what = f"has {most} limit for {kind}, the spec {limits[kind]}"
            yield case.found("criu.rlimit", what, where, weight=NOTE)


def _calm(core: Any) -> None:
    core.thread_core.sched_policy = 0
    core.thread_core.ClearField("sched_prio")


def _mortal(core: Any) -> None:
    core.tc.oom_score_adj = 0


CHECK = Check("processes in CRIU's images", look)
