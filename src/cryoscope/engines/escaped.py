"""Whether a sandbox that was restored is one: no process of it may be in a namespace of the host.

CRIU puts a process back into the namespaces of the machine where the images do not say that it had its own,
whatever the engine made for it; so the kernel is asked afterwards (namespaces(7), /proc/PID/ns).  A
container's processes are those below its first one, those in its pid namespace or in its control groups.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from cryoscope.engines.host import Host, below, numbers_of
from cryoscope.engines.port import EngineError

SPACES = ("net", "ipc", "uts", "pid", "mnt")
"""Namespaces that a sandbox has of its own; users and control groups need none."""
LAST = 1.0
"""Seconds in which helpers of the runtime that are in the container's control group must end."""
POLL = 0.05


def check(host: Host, pid: int | None, engine: str, *, groups: bool = True) -> None:
    """Raise `EngineError` `<engine>.escaped` if a process of a container shares a namespace with the host.

    `pid` is its first process as the host counts; `groups` whether control groups hold nothing but it.
    """
    first = host.pid(pid) if pid else None
    if first is None:
        raise _error(engine, "its first process cannot be seen, so nobody knows where it is")
    hosts = _of_host(host)
    found = _shared([*below(first), *_pid_space(first, hosts)], hosts)
    if groups and not found:
        found = _staying(first, host, hosts)
    if not found and not _inodes(first):
        found = "its first process ended while it was looked at"
    if found:
        raise _error(engine, found)


def _staying(first: int, host: Host, hosts: set[tuple[str, int]]) -> str:
    """What `_shared` says of the control groups, if that does not end by itself."""
    until = time.monotonic() + LAST
    while (found := _shared(_grouped(first, host), hosts)) and time.monotonic() < until:
        time.sleep(POLL)
    return found


def _error(engine: str, why: str) -> EngineError:
    return EngineError(
        f"the restored container left the sandbox, and was ended: {why}",
        hint="do not restore this archive here: it may have been made to leave the sandbox",
        code=f"{engine}.escaped",
    )


def _of_host(host: Host) -> set[tuple[str, int]]:
    """The namespaces of the host and of this process."""
    seen = ("self", "1" if host.process is None else str(host.process))
    return {item for process in seen for item in _inodes(process).items()}


def _inodes(pid: int | str) -> dict[str, int]:
    """The inodes of a process's namespaces, by kind; none of one that has ended."""
    found = {}
    for kind in SPACES:
        try:
            found[kind] = os.stat(f"/proc/{pid}/ns/{kind}").st_ino
        except OSError:
            return {}
    return found


def _shared(pids: list[int], hosts: set[tuple[str, int]]) -> str:
    """The first process in a namespace of the host, and which one, in words; empty if there is none."""
    for pid in dict.fromkeys(pids):
        kinds = [kind for kind, inode in _inodes(pid).items() if (kind, inode) in hosts]
        if kinds:
            return f"process {[pid, *numbers_of(pid)][-1]} is in the host's {', '.join(kinds)} namespace"
    return ""


def _pid_space(first: int, hosts: set[tuple[str, int]]) -> list[int]:
    """The processes in the pid namespace of a container, if it is its own."""
    space = _inodes(first).get("pid")
    if space is None or ("pid", space) in hosts:
        return []
    return [pid for pid in _pids() if _inodes(pid).get("pid") == space]


def _pids() -> Iterator[int]:
    return map(int, filter(str.isdigit, os.listdir("/proc")))


def _grouped(first: int, host: Host) -> list[int]:
    """The processes in the control groups of a container, where these are not the host's own."""
    others = (os.getpid(), host.process or 1)
    common = {item for other in others for item in _groups(other).items()}
    own = {name: path for name, path in _groups(first).items() if (name, path) not in common and path != "/"}
    return [pid for pid in _pids() if own and _within(_groups(pid), own)]


def _within(groups: dict[str, str], own: dict[str, str]) -> bool:
    return all((groups.get(name, "") + "/").startswith(path + "/") for name, path in own.items())


def _groups(pid: int) -> dict[str, str]:
    """The control groups of a process, by controllers (cgroups(7), /proc/PID/cgroup)."""
    try:
        with open(f"/proc/{pid}/cgroup", errors="surrogateescape") as file:
            rows = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return {}
    return {row[1]: row[2] for row in rows if len(row) == 3}
