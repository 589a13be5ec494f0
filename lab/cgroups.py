"""The cgroups of nodes, in every hierarchy: finding them, joining them, and taking away what a kill left.

A node's groups carry the number and the start time of the process that owns it, so that a group whose
owner is gone is known by its name, even when the number belongs to somebody else by now.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

PREFIX = "cryoscope-lab"
MOUNT = Path("/sys/fs/cgroup")
PATIENCE = 5.0
"""Seconds that killed processes have to leave a group."""


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot (proc(5), stat, field 22); None if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])


def name_for(pid: int, number: int) -> str:
    """The name of the groups of the node `number` that process `pid` owns."""
    return f"{PREFIX}-{pid}-{start_time(pid)}-{number}"


def groups_of(name: str) -> list[Path]:
    """The folders of a node's groups, one a hierarchy."""
    return [Path(folder) / name for folder, names in _folders() if name in names]


def _folders() -> list[tuple[str, list[str]]]:
    """Every group in which nodes may have theirs: a hierarchy's root, or a group below that a session has."""
    found = []
    for folder, names, _ in os.walk(MOUNT):
        ours = [name for name in names if name.startswith(PREFIX)]
        names[:] = [name for name in names if name not in ours]
        if ours:
            found.append((folder, ours))
    return found


def stale() -> list[Path]:
    """Groups whose owner is gone."""
    return [Path(folder) / name for folder, names in _folders() for name in names if not _owned(name)]


def _owned(name: str) -> bool:
    try:
        pid, started, _ = name.removeprefix(PREFIX + "-").split("-")
        return start_time(int(pid)) == int(started)
    except ValueError:
        return False


def sweep() -> list[Path]:
    """End what runs in groups whose owner is gone, and take them away; returns those that stayed."""
    return end(stale())


def end(groups: list[Path]) -> list[Path]:
    """End what runs in these groups and take them away; returns those that stayed."""
    for group in groups:
        _kill(group)
    deadline = time.monotonic() + PATIENCE
    while (left := [group for group in groups if remove(group)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _kill(group: Path) -> None:
    thaw(group)
    for file in _files(group, "cgroup.procs"):
        try:
            for pid in file.read_text().split():
                os.kill(int(pid), signal.SIGKILL)
        except OSError:
            continue


def thaw(group: Path) -> None:
    """Let frozen processes go on: until then they cannot be killed (CRIU freezes what it dumps)."""
    for name, word in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
        for file in _files(group, name):
            try:
                file.write_text(word)
            except OSError:
                continue


def _files(group: Path, name: str) -> list[Path]:
    """The files of a name in a group and those below it; groups may vanish meanwhile."""
    return [Path(folder) / name for folder, _, names in os.walk(group) if name in names]


def remove(group: Path) -> bool:
    """Take a group and those below it away; True if it is still there."""
    for folder, _, _ in os.walk(group, topdown=False):
        try:
            os.rmdir(folder)
        except OSError:
            continue
    return group.exists()
