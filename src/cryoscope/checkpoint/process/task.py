"""Tasks and their threads: one record a process, joined from the images named by its pid.

pstree.img says who there was (images/pstree.proto), core-<tid>.img their state and rights
(images/core.proto), mm-<pid>.img where command line and environment lie in memory, fs-<pid>.img
their directories, ids-<pid>.img their namespaces.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from cryoscope import limits
from cryoscope.checkpoint.criu import names
from cryoscope.checkpoint.criu.imageset import ImageSet
from cryoscope.checkpoint.memory import AddressSpace, Vma
from cryoscope.checkpoint.memory.address import Address
from cryoscope.checkpoint.process.cgroups import cgroup_sets
from cryoscope.checkpoint.process.credentials import Credentials, credentials_of
from cryoscope.checkpoint.process.descriptors import Descriptor
from cryoscope.checkpoint.process.files import FileTable
from cryoscope.checkpoint.process.namespaces import ids_of
from cryoscope.checkpoint.process.signals import (
    PendingSignal,
    Rlimit,
    SignalAction,
    Timer,
    actions_of,
    pending_of,
    rlimits_of,
    timers_of,
)
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.text import with_bytes

SCHEDULERS = {0: "other", 1: "fifo", 2: "rr", 3: "batch", 5: "idle", 6: "deadline", 7: "ext"}
"""Scheduling policies by number (linux/sched.h)."""

FILTER_TSYNC = 1
"""SECCOMP_FILTER_FLAG_TSYNC (linux/seccomp.h)."""

ZOMBIES = (2, 6)
"""TASK_DEAD, which CRIU writes for a zombie that waits to be reaped, and its own TASK_ZOMBIE."""


class Variable(msgspec.Struct, frozen=True, omit_defaults=True):
    """One variable of an environment; `value` is None where the block holds no `=`."""

    name: str
    value: str | None = None
    name_base64: str | None = None
    value_base64: str | None = None


class Thread(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thread.  `ip` and `sp` are its instruction and stack pointers; None where unknown."""

    tid: int
    comm: str
    comm_base64: str | None = None
    nice: int = 0
    scheduler: str | None = None
    ip: Address | None = None
    sp: Address | None = None
    seccomp: str | None = None
    seccomp_filter: int | None = None
    blocked: list[str] = []
    pending: list[PendingSignal] = []
    credentials: Credentials | None = None


class Process(msgspec.Struct, frozen=True, omit_defaults=True):
    """One process of the container, with the pids of its own pid namespace.

    `state` is alive, stopped or zombie.  `cmdline` is None where it could not be read (a zombie
    has none), `cmdline_base64` one value an argument where bytes were not UTF-8.  `env`, `fds`
    and `vmas` are absent unless asked for.
    """

    pid: int
    ppid: int
    pgid: int
    sid: int
    comm: str
    state: str
    cmdline: list[str] | None
    comm_base64: str | None = None
    cmdline_base64: list[str] | None = None
    exe: str | None = None
    exe_base64: str | None = None
    exe_deleted: bool = False
    cwd: str | None = None
    cwd_base64: str | None = None
    root: str | None = None
    root_base64: str | None = None
    umask: str | None = None
    exit_code: int | None = None
    exit_signal: str | None = None
    stop_signal: str | None = None
    credentials: Credentials | None = None
    seccomp: str | None = None
    oom_score_adj: int | None = None
    loginuid: int | None = None
    child_subreaper: bool = False
    personality: int = 0
    namespaces: dict[str, int] = {}
    cgroups: dict[str, str] = {}
    rlimits: list[Rlimit] = []
    timers: list[Timer] = []
    pending: list[PendingSignal] = []
    actions: list[SignalAction] = []
    threads: list[Thread] = []
    env: list[Variable] | UnsetType = UNSET
    fds: list[Descriptor] | UnsetType = UNSET
    vmas: list[Vma] | UnsetType = UNSET

    @property
    def command(self) -> str:
        """What `ps` shows: the command line, or the name in brackets where there is none."""
        return " ".join(self.cmdline) if self.cmdline else f"[{self.comm}]"


class TaskReader:
    """Reads the tasks of one checkpoint; `memory` gives the address space of a pid."""

    def __init__(
        self,
        images: ImageSet,
        files: FileTable,
        memory: Callable[[int], AddressSpace | None],
        damaged: list[Damaged],
    ) -> None:
        self.images = images
        self.files = files
        self.memory = memory
        self.damaged = damaged
        self._cgroups = cgroup_sets(images)

    def read(self, entry: Any) -> Process:
        """The record of one `pstree_entry`; parts that cannot be read are named in `damaged`."""
        core = self.images.first(f"core-{entry.pid}.img")
        if core is None:
            self._note(entry.pid, "core image is missing or unreadable", "process.core-missing")
        task = core.tc if core is not None and core.HasField("tc") else None
        threads = [] if task is not None and task.task_state in ZOMBIES else self._threads(entry)
        return Process(
            pid=entry.pid,
            ppid=entry.ppid,
            pgid=entry.pgid,
            sid=entry.sid,
            threads=threads,
            **self._of_task(task),
            **self._of_leader(core, entry.pid),
            **self._of_memory(entry.pid, task),
            **self._directories(entry.pid),
        )

    def _note(self, pid: int, problem: str, code: str) -> None:
        self.damaged.append(Damaged(f"pid {pid}", problem, code))

    def _of_task(self, task: Any) -> dict[str, Any]:
        if task is None:
            return {"comm": "?", "state": "unknown"}
        found = with_bytes("comm", bytes(task.comm)) | _state(task)
        found |= {
            "oom_score_adj": task.oom_score_adj if task.HasField("oom_score_adj") else None,
            "loginuid": _unless_none(task.loginuid) if task.HasField("loginuid") else None,
            "child_subreaper": bool(task.child_subreaper),
            "personality": _personality(task),
            "stop_signal": names.signal(task.stop_signo) if task.stop_signo else None,
            "rlimits": rlimits_of(task.rlimits.rlimits),
            "timers": timers_of(task.timers) if task.HasField("timers") else [],
            "pending": pending_of(task.signals_s, shared=True),
            "actions": actions_of(task),
        }
        return found

    def _of_leader(self, core: Any, pid: int) -> dict[str, Any]:
        """What the thread that gave the process its pid carries for all of it."""
        leader = core.thread_core if core is not None and core.HasField("thread_core") else None
        ids = self.images.first(f"ids-{pid}.img") or (
            core.ids if core is not None and core.HasField("ids") else None
        )
        return {
            "credentials": self._credentials(leader, pid),
            "seccomp": _seccomp(leader),
            "namespaces": ids_of(ids) if ids is not None else {},
            "cgroups": self._cgroups.get(self._cgroup_set(core, leader), {}),
        }

    def _credentials(self, leader: Any, pid: int) -> Credentials | None:
        if leader is not None and leader.HasField("creds"):
            return credentials_of(leader.creds)
        old = self.images.first(f"creds-{pid}.img")  # before CRIU 1.3 they were an image of their own
        return credentials_of(old) if old is not None else None

    def _cgroup_set(self, core: Any, leader: Any) -> int:
        if leader is not None and leader.cg_set:
            return int(leader.cg_set)
        return int(core.tc.cg_set) if core is not None and core.HasField("tc") else 0

    def _of_memory(self, pid: int, task: Any) -> dict[str, Any]:
        mm = self.images.first(f"mm-{pid}.img")
        if mm is None:
            if task is not None and task.task_state not in ZOMBIES:
                self._note(pid, "mm image is missing or unreadable", "process.mm-missing")
            return {"cmdline": None}
        exe = self.files.path(mm.exe_file_id)
        found: dict[str, Any] = _arguments(self.command_line(pid, mm))
        if exe is not None:
            found |= with_bytes("exe", exe[0]) | {"exe_deleted": exe[1]}
        return found

    def command_line(self, pid: int, mm: Any) -> list[bytes] | None:
        """The arguments of a process from its stack, as the kernel gives them (fs/proc/base.c).

        A program that overwrote the end of its arguments (setproctitle) has one, which may go on
        into the space of the environment.
        """
        data = self._block(pid, mm.mm_arg_start, mm.mm_arg_end, "command line")
        if data is None:
            return None
        if data and data[-1] and mm.mm_env_start == mm.mm_arg_end:
            data += self._block(pid, mm.mm_env_start, mm.mm_env_end, "command line") or b""
            return [data.partition(b"\0")[0]]
        return data.removesuffix(b"\0").split(b"\0") if data else []

    def environment(self, pid: int) -> list[Variable] | None:
        """The environment a process started with, in its order, from its stack; None if unknown."""
        mm = self.images.first(f"mm-{pid}.img")
        if mm is None:
            return None
        data = self._block(pid, mm.mm_env_start, mm.mm_env_end, "environment")
        if data is None:
            return None
        entries = [entry for entry in data.split(b"\0", limits.ENVIRONMENT) if entry]
        return [_variable(entry) for entry in entries[: limits.ENVIRONMENT]]

    def _block(self, pid: int, start: int, end: int, what: str) -> bytes | None:
        space = self.memory(pid)
        if space is None or end <= start:
            return b"" if end == start else None
        if end - start > limits.ARGUMENTS:
            self._note(pid, f"{what} claims {end - start} bytes", "process.arguments-too-large")
            return None
        try:
            return space.read(start, end - start)
        except CryoscopeError as error:
            self._note(pid, f"{what}: {error.message}", error.code)
            return None

    def _directories(self, pid: int) -> dict[str, Any]:
        fs = self.images.first(f"fs-{pid}.img")
        if fs is None:
            return {}
        found: dict[str, Any] = {"umask": f"{fs.umask:04o}" if fs.HasField("umask") else None}
        for field, file_id in (("cwd", fs.cwd_id), ("root", fs.root_id)):
            path = self.files.path(file_id)
            if path is not None:
                found |= with_bytes(field, path[0])
        return found

    def _threads(self, entry: Any) -> list[Thread]:
        found = []
        for tid in entry.threads[: limits.TASKS]:
            core = self.images.first(f"core-{tid}.img")
            if core is None:
                self._note(
                    entry.pid, f"thread {tid}: core image is missing or unreadable", "process.core-missing"
                )
                continue
            found.append(_thread(tid, core))
        return [self._with_leaders_filter(thread, found[0]) for thread in found]

    def _with_leaders_filter(self, thread: Thread, leader: Thread) -> Thread:
        """A thread that CRIU leaves to get the filters of the first thread when they are installed again.

        It marks them so where all threads have the same (criu/seccomp.c, try_use_tsync).
        """
        if thread.seccomp is not None or leader.seccomp_filter not in self._for_all_threads:
            return thread
        return msgspec.structs.replace(thread, seccomp=leader.seccomp, seccomp_filter=leader.seccomp_filter)

    @cached_property
    def _for_all_threads(self) -> set[int]:
        """Filters of seccomp.img that are installed for all threads at once."""
        image = self.images.first("seccomp.img")
        filters = image.seccomp_filters if image is not None else []
        return {number for number, entry in enumerate(filters) if entry.flags & FILTER_TSYNC}


def _thread(tid: int, core: Any) -> Thread:
    own = core.thread_core
    comm = bytes(own.comm) if own.HasField("comm") else bytes(core.tc.comm)
    ip, sp = _pointers(core)
    mask = own.blk_sigset or core.tc.blk_sigset
    return Thread(
        tid=tid,
        nice=own.sched_nice,
        scheduler=names.named(own.sched_policy, SCHEDULERS) if own.HasField("sched_policy") else None,
        ip=ip,
        sp=sp,
        seccomp=_seccomp(own),
        seccomp_filter=own.seccomp_filter if own.HasField("seccomp_filter") else None,
        blocked=names.signals(mask),
        pending=pending_of(own.signals_p, shared=False),
        credentials=credentials_of(own.creds) if own.HasField("creds") else None,
        **with_bytes("comm", comm),
    )


def _pointers(core: Any) -> tuple[Address | None, Address | None]:
    """Instruction and stack pointer of the architectures that have them under one name."""
    for field, ip, sp in (
        ("thread_info", "ip", "sp"),
        ("ti_aarch64", "pc", "sp"),
        ("ti_riscv64", "pc", "sp"),
    ):
        if core.HasField(field):
            registers = getattr(core, field).gpregs
            return Address(getattr(registers, ip)), Address(getattr(registers, sp))
    return None, None


def _state(task: Any) -> dict[str, Any]:
    if task.task_state not in ZOMBIES:
        return {"state": {1: "alive", 3: "stopped"}.get(task.task_state, f"state {task.task_state}")}
    signal = task.exit_code & 0x7F  # as in wait(2)
    return {
        "state": "zombie",
        "exit_code": task.exit_code >> 8 & 0xFF,
        "exit_signal": names.signal(signal) if signal else None,
    }


def _personality(task: Any) -> int:
    """The bits of personality(2).

    CRIU takes the hexadecimal digits of /proc/PID/personality for decimal ones; those from the first
    letter on are lost (criu/cr-dump.c, get_task_personality).
    """
    return int(str(task.personality), 16)


def _seccomp(own: Any) -> str | None:
    if own is None or not own.HasField("seccomp_mode"):
        return None
    return names.named(own.seccomp_mode, names.SECCOMP_MODES)


def _unless_none(uid: int) -> int | None:
    return None if uid == 0xFFFFFFFF else uid


def _arguments(arguments: list[bytes] | None) -> dict[str, Any]:
    if arguments is None:
        return {"cmdline": None}
    found = [with_bytes("value", argument) for argument in arguments]
    texts = [argument["value"] for argument in found]
    if not any("value_base64" in argument for argument in found):
        return {"cmdline": texts}
    import base64

    return {
        "cmdline": texts,
        "cmdline_base64": [base64.b64encode(argument).decode("ascii") for argument in arguments],
    }


def _variable(entry: bytes) -> Variable:
    name, equals, value = entry.partition(b"=")
    return Variable(**with_bytes("name", name), **(with_bytes("value", value) if equals else {}))
