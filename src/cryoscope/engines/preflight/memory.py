"""How large the archive of a container will be, estimated from the memory that it uses.

CRIU writes every anonymous page of every process, pages of shared memory once, and what tmpfs mounts hold
(criu/mem.c, criu/shmem.c, criu/filesystems.c); pages of mapped files that nobody wrote to stay in the files.
From smaps_rollup (proc_pid_smaps(5)), else the coarser lines of status; tmpfs from the control group's
memory.stat (kernel admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst) where that is to be seen.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from cryoscope.engines.host import Host
from cryoscope.engines.live import LiveProcess, content, processes
from cryoscope.engines.port import Record

KIB = 1024
PER_PROCESS = 64 * KIB
"""Images beside the pages of one process, with some descriptors and threads: 20 KiB in the smallest."""
BESIDES = 1024 * KIB
"""Documents, log and images of namespaces of one container."""


class Memory(Record, frozen=True, kw_only=True):
    """Bytes: `private` of all processes, `shared` between them, `swapped` of both, `tmpfs` mapped by nobody.

    `usage` is what the control group is charged with, page cache and all; None where it is not to be seen.
    `processes` counts.
    """

    private: int = 0
    shared: int = 0
    swapped: int = 0
    tmpfs: int = 0
    usage: int | None = None
    processes: int = 0

    @property
    def archive(self) -> int:
        """Bytes that the archive will have, without the files that the container changed."""
        pages = self.private + self.shared + self.swapped + self.tmpfs
        return pages + self.processes * PER_PROCESS + BESIDES


def memory_of(host: Host, pid: int) -> Memory:
    """What the container whose first process the host knows as `pid` holds; raises `NoSuchContainer`."""
    return memory_of_processes(processes(host, pid))


def memory_of_processes(found: Iterable[LiveProcess]) -> Memory:
    """The same of processes that were read before."""
    every = [*found]
    counted = [_of_process(process.number) for process in every]
    private, shared, swapped = (sum(one[column] for one in counted) for column in range(3))
    group = _of_group(every[0].number) if every else {}
    return Memory(
        private=private,
        shared=shared,
        swapped=swapped,
        tmpfs=max(0, group.get("shmem", 0) - shared),
        usage=group.get("usage"),
        processes=len(every),
    )


def _of_process(number: int) -> tuple[int, int, int]:
    """Private, shared (its share) and swapped bytes of a process."""
    rollup = _sizes(content(number, "smaps_rollup"))
    if rollup:
        return rollup.get("Anonymous", 0), rollup.get("Pss_Shmem", 0), rollup.get("Swap", 0)
    told = _sizes(content(number, "status"))
    return told.get("RssAnon", 0), told.get("RssShmem", 0), told.get("VmSwap", 0)


def _sizes(text: bytes) -> dict[str, int]:
    """Lines `Name:   12 kB` as bytes."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[2] == b"kB" and fields[1].isdigit():
            found[fields[0].decode(errors="replace").rstrip(":")] = int(fields[1]) * KIB
    return found


# --- control groups -------------------------------------------------------------------------------
def _of_group(number: int) -> dict[str, int]:
    """`usage` and `shmem` of a process's control group; empty where it cannot be seen or is the root's."""
    for folder, version in _folders(number):
        usage = _number(f"{folder}/{'memory.current' if version == 2 else 'memory.usage_in_bytes'}")
        stat = _pairs(f"{folder}/memory.stat")
        if usage is not None:
            return {"usage": usage, "shmem": stat.get("shmem" if version == 2 else "total_shmem", 0)}
    return {}


def _folders(number: int) -> list[tuple[str, int]]:
    """Folders of a process's memory controller as this process sees them, with the version."""
    found = []
    for line in content(number, "cgroup").decode(errors="replace").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        version = 2 if not controllers else 1
        if (
            path == "/"
            or ".." in path.split("/")
            or (version == 1 and "memory" not in controllers.split(","))
        ):
            continue
        found += [(mount + path, version) for mount in _mounts(version)]
    return found


def _mounts(version: int) -> list[str]:
    """Where this process has the memory controller of a version mounted, from the root of it."""
    found = []
    for line in content(os.getpid(), "mountinfo").decode(errors="replace").splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 5 or len(kind) < 3 or fields[3] != "/":
            continue
        one = version == 1 and kind[0] == "cgroup" and "memory" in kind[2].split(",")
        if one or (version == 2 and kind[0] == "cgroup2"):
            found.append(fields[4])
    return found


def _number(path: str) -> int | None:
    try:
        with open(path) as file:
            return int(file.read(64))
    except (OSError, ValueError):
        return None


def _pairs(path: str) -> dict[str, int]:
    try:
        with open(path) as file:
            rows = [line.split() for line in file.read(1 << 16).splitlines()]
    except OSError:
        return {}
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
