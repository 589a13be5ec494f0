"""A checkpoint that was taken in this run, with what the kernel said just before and just after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from facts import Facts, facts_of_proc
from lab import proc
from lab.engines import Engine, Running, wait_for_word
from lab.workloads import Workload


@dataclass(frozen=True)
class Taken:
    """The archive (or folder) of one checkpoint, and two readings of /proc around it."""

    engine: Engine
    workload: Workload
    path: Path
    before: Facts
    after: Facts
    log: str


def take(engine: Engine, workload: Workload) -> Taken:
    """Run a workload, checkpoint it and end it; raises `Refused` where the engine cannot."""
    running = engine.start(workload)
    beside = []
    try:
        if workload.second is not None:
            beside.append(engine.start(workload.second.given(engine.address(running))))
            wait_for_word(engine, replace(running, workload=replace(workload, word=workload.second.word)))
        before = read(engine, running)
        path = engine.checkpoint(running)
        return Taken(engine, workload, path, before, read(engine, running), engine.log(running))
    finally:
        for one in [running, *beside]:
            engine.remove(one)


def read(engine: Engine, running: Running) -> Facts:
    """What /proc says now; without an engine the tree has no namespace that would say who belongs to it."""
    return facts_of_proc(proc.read(running.pid, tree=engine.name == "criu"))


Take = Callable[[str, Workload], Taken]
Remembered = dict[tuple[str, str], Any]
