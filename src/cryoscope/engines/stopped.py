"""Processes of a container that job control has stopped, where that deadlocks with cgroup v1's freezer.

A stopped process in a frozen cgroup does not answer the attaching of CRIU, which waits in the kernel and
cannot be killed (kernel/ptrace.c, `ptrace_attach`, JOBCTL_TRAPPING).  cgroup v2 has no such freezer.
"""

from __future__ import annotations

import re

from cryoscope.text import escape, readable

STOPPED = (b"T", b"t")
"""States of proc(5), /proc/PID/stat: stopped by a signal, stopped by a tracer."""
FREEZER = "/sys/fs/cgroup/freezer"
STAT = re.compile(rb"\d+ \((.*)\) (\S)", re.DOTALL)


def stopped_below_freezer(pid: int) -> list[str]:
    """Stopped processes in the freezer of a process's cgroup, "pid comm"; none without such a freezer."""
    try:
        with open(f"/proc/{pid}/cgroup") as file:
            group = next((line.split(":", 2)[2].strip() for line in file if ":freezer:" in line), None)
        if group is None:
            return []
        with open(f"{FREEZER}{group}/cgroup.procs") as file:
            pids = file.read().split()
    except OSError:
        return []
    return [said for each in pids if (said := _stopped(each))]


def _stopped(pid: str) -> str | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            found = STAT.match(file.read())
    except OSError:
        return None
    return f"{pid} {escape(readable(found[1]))}" if found and found[2] in STOPPED else None
