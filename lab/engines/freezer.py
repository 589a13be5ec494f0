"""A deadlock of CRIU under runc, and the way out of it.

runc has CRIU freeze the container's cgroup and attach to what is frozen.  In the freezer of cgroup v1 a
process that job control has stopped cannot answer the attaching, which waits for it without end and cannot
be killed (`ptrace_attach`, JOBCTL_TRAPPING).  Thawed, CRIU goes on and stops every process itself, as it
does where there is no freezer.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 3.0
"""Seconds that a cgroup may be frozen; CRIU thaws it itself when it is attached to every process."""
FREEZER = Path("/sys/fs/cgroup/freezer")


@contextmanager
def thawing(pid: int) -> Iterator[None]:
    """While a checkpoint is taken: thaw the cgroup of a process if it is frozen for too long."""
    group = _group(pid)
    timer = threading.Timer(PATIENCE, _thaw, [group])
    if group.exists():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _group(pid: int) -> Path:
    """The freezer's file for a process (cgroups(7), /proc/PID/cgroup); one that is not there without it."""
    rows = (line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines())
    path = next((path for _, kind, path in rows if kind == "freezer"), "/none")
    return FREEZER / path.lstrip("/") / "freezer.state"


def _thaw(state: Path) -> None:
    if state.exists() and state.read_text().strip() == "FROZEN":
        state.write_text("THAWED")
