"""The freezer of a container's control group, and a container that a dead engine left in it.

Runtimes freeze a container while they checkpoint it.  One that dies meanwhile thaws nothing; whoever asked
for the capture does.  cgroup v1: `freezer.state` (kernel Documentation, cgroup-v1/freezer-subsystem); v2:
`cgroup.freeze` (cgroup-v2).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator

from cryoscope.engines.host import Host

ROOT = "/sys/fs/cgroup"
PATIENCE = 15.0
"""Seconds in which CRIU, which may be at work yet, comes to its end."""
LATE = 2.0
"""Seconds in which a runtime does what a dead engine asked of it last."""
LOOK = 0.1
STATES = {"freezer.state": ("FROZEN", "THAWED"), "cgroup.freeze": ("1", "0")}
"""What the files of the two versions say of a frozen group, and what thaws it."""


def release(host: Host, pid: int, started: str = "") -> bool:
    """Thaw the container of a process, as its host counts, once CRIU is done; whether it was frozen.

    With `started` (as `start_of` said before), only if it is that process yet.
    """
    outside = host.pid(pid)
    if started and start_of(host, pid) != started:
        return False
    path = frozen(outside) if outside is not None else None
    deadline = time.monotonic() + PATIENCE
    while path is not None and _dumping(host):
        if time.monotonic() > deadline:
            return False  # thawed now, the dump would be of two moments
        time.sleep(LOOK)
    if outside is None or frozen(outside) is None or path is None:
        return False
    with open(path, "w") as state:
        state.write(STATES[os.path.basename(path)][1])
    return True


def release_late(host: Host, pid: int, started: str) -> None:
    """As `release`, where the engine has gone: what it asked last may freeze the container yet."""
    until = time.monotonic() + LATE
    while not release(host, pid, started) and time.monotonic() < until:
        time.sleep(LOOK)


def start_of(host: Host, pid: int | None) -> str:
    """When a process began, in ticks since boot (proc(5), /proc/PID/stat, field 22); "" if it is gone."""
    outside = host.pid(pid) if pid is not None else None
    try:
        with open(f"/proc/{outside}/stat") as file:
            return file.read().rpartition(")")[2].split()[19]
    except OSError:
        return ""


@contextlib.contextmanager
def guarded(host: Host, pid: int | None) -> Iterator[None]:
    """While a runtime checkpoints: a process of its own that thaws the container should this one be killed.

    A runtime whose client is gone gives the checkpoint up, and may fail to thaw (containerd does).
    """
    if pid is None:
        yield
        return
    told = (str(host.process or 0), str(pid), start_of(host, pid))
    argv = [sys.executable, "-P", "-m", "cryoscope.engines.freezer", *told]
    with subprocess.Popen(  # noqa: S603
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as keeper:
        try:
            yield
        finally:
            keeper.kill()


def keep(process: int, pid: int, started: str) -> None:
    """Wait for the end of standard input, which is that of whoever holds it; thaw what is frozen then."""
    host = Host(process or None)
    sys.stdin.buffer.read()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        release(host, pid, started)
        time.sleep(LOOK)


def frozen(pid: int) -> str | None:
    """The file that says that a process's group is frozen; None if it is not."""
    for path in _files(pid):
        try:
            with open(path) as file:
                if file.read().strip() == STATES[os.path.basename(path)][0]:
                    return path
        except OSError:
            continue
    return None


def _files(pid: int) -> list[str]:
    """Where the states of a process's groups are (cgroups(7), /proc/PID/cgroup)."""
    try:
        with open(f"/proc/{pid}/cgroup") as file:
            rows = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return []
    v1 = [f"{ROOT}/freezer{path}/freezer.state" for _, kinds, path in rows if "freezer" in kinds.split(",")]
    v2 = [path for _, kinds, path in rows if not kinds]
    return v1 + [f"{ROOT}{folder}{path}/cgroup.freeze" for path in v2 for folder in ("", "/unified")]


def _dumping(host: Host) -> bool:
    """Whether any criu is at work on a host."""
    space = os.stat(f"/proc/{host.process or 'self'}/ns/mnt").st_ino
    return any(_is_criu(name, space) for name in os.listdir("/proc") if name.isdigit())


def _is_criu(pid: str, space: int) -> bool:
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip() == "criu" and os.stat(f"/proc/{pid}/ns/mnt").st_ino == space
    except OSError:
        return False


if __name__ == "__main__":
    keep(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
