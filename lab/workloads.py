"""What is checkpointed: programs written for it (`lab/programs`), in images made with the lab.

A workload says when it is ready by printing its `word`.  One that stands still changes nothing of itself
from then on, so that a reading of /proc before and one after a checkpoint must be the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

BIN = "/opt/lab/bin"
ETC = "/opt/lab/etc"


@dataclass(frozen=True)
class Image:
    """An image of the lab: where its OCI archive is in a node, and what engines call it."""

    archive: str
    reference: str


IMAGES = {
    "busybox": Image("/opt/lab/images/busybox.tar", "localhost/busybox:lab"),
    "workloads": Image("/opt/lab/images/workloads.tar", "localhost/workloads:lab"),
}


@dataclass(frozen=True)
class Workload:
    """A program to run in a container, or bare.

    `image` is `busybox` or `workloads`; `needs` names what an engine must be able to do for it:
    `network` (a bridge), `file-locks`, `tcp-established`, `user-namespace`, `places` (a tmpfs at /scratch
    and, where the engine has them, a volume at /kept).  `bare` holds further arguments for a run without an
    engine, `second` the workload that must run beside it, with its address as argument.
    """

    name: str
    image: str
    argv: tuple[str, ...]
    word: str = "ready"
    environment: tuple[tuple[str, str], ...] = ()
    still: bool = False
    needs: frozenset[str] = frozenset()
    bare: tuple[str, ...] = ()
    second: Workload | None = None

    def given(self, *arguments: str) -> Workload:
        """The same with further arguments."""
        return replace(self, argv=(*self.argv, *arguments))

    def needing(self, *needs: str) -> Workload:
        """The same with further needs."""
        return replace(self, needs=self.needs | {*needs})


def _python(name: str, *arguments: str) -> tuple[str, ...]:
    """A program in Python that leaves no compiled files in a container's root filesystem."""
    return ("python3", "-B", f"{BIN}/{name}", *arguments)


def _compiled(name: str, *arguments: str) -> Workload:
    return Workload(name, "workloads", (f"{BIN}/{name}", *arguments), still=True)


SHELL_COUNTER = Workload("counter", "busybox", ("/bin/busybox", "sh", f"{BIN}/counter.sh"))
HTTP_COUNTER = Workload("http-counter", "workloads", ("bash", f"{BIN}/http-counter.sh"))
NO_SYSV = ("no-sysv-shm", "no-sysv-queue", "no-sysv-semaphores")
"""CRIU refuses SysV memory outside an IPC namespace of its own (`Task with SysVIPC shmem map`)."""
KINDS = Workload("kinds", "workloads", _python("kinds"), still=True, bare=NO_SYSV)
KINDS_LOCKED = replace(KINDS.given("locks").needing("file-locks"), name="kinds-locked")
KINDS_STOPPED = replace(KINDS.given("stopped"), name="kinds-stopped")
KINDS_TCP = replace(KINDS.given("tcp").needing("tcp-established"), name="kinds-tcp")

THREADS = _compiled("threads")
LOCALS = _compiled("locals")
LOCALS_O2 = _compiled("locals-o2")
LOCALS_STATIC = _compiled("locals-static")
REGISTERS = _compiled("registers")
DLOPENED = _compiled("dlopened")
HEAP = _compiled("heap")
PLANTED = replace(_compiled("planted"), bare=("/tmp",))

PAIR = frozenset({"network", "tcp-established"})
TCP_CLIENT = Workload("tcp-client", "workloads", _python("tcp-client.py"), still=True, needs=PAIR)
TCP_SERVER = Workload(
    "tcp-server",
    "workloads",
    _python("tcp-server.py"),
    "listening",
    still=True,
    needs=PAIR,
    second=TCP_CLIENT,
)
"""It listens before it has a client, and stands still when it has one and has printed `ready`."""

REDIS = Workload(
    "redis", "workloads", ("redis-server", f"{ETC}/redis.conf"), "Ready to accept connections tcp"
)
NGINX = Workload(
    "nginx", "workloads", ("/bin/busybox", "sh", f"{BIN}/nginx.sh"), needs=frozenset({"user-namespace"})
)

INNOCENT = replace(KINDS_TCP, name="innocent", argv=_python("innocent.py"), bare=("/var/lib",))
"""What decent software does that looks like an intruder's work."""

INTRUDER = Workload("intruder", "workloads", _python("intruder.py"), "listening")
"""Breaks into the victim that runs beside it, and prints `finished` when it has done all it does."""
BROKEN_INTO = "finished"
VICTIM = Workload("victim", "workloads", (f"{BIN}/victim",), needs=PAIR)
"""Not one of `ALL`: it takes an intruder (tests/engines/attacked.py)."""

ALL = (
    SHELL_COUNTER,
    HTTP_COUNTER,
    KINDS,
    KINDS_LOCKED,
    KINDS_STOPPED,
    KINDS_TCP,
    THREADS,
    LOCALS,
    LOCALS_O2,
    LOCALS_STATIC,
    REGISTERS,
    DLOPENED,
    HEAP,
    PLANTED,
    INNOCENT,
    TCP_SERVER,
    TCP_CLIENT,
    REDIS,
    NGINX,
)
