"""A checkpoint as facts (`facts`): its records, and where they leave something out the images behind them."""

from __future__ import annotations

import base64
import signal
from collections.abc import Iterable, Iterator
from typing import Any

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.criu.names import CAPABILITIES
from cryoscope.checkpoint.memory import Vma
from cryoscope.checkpoint.process import Credentials, Mount, Process, Thread
from cryoscope.checkpoint.process.ipc import IpcObject, waiting_messages
from facts_proc import auxiliary
from facts_said_open import facts_of_descriptor

Fact = tuple[tuple[Any, ...], Any]

POLICIES = {"other": 0, "fifo": 1, "rr": 2, "batch": 3, "idle": 5, "deadline": 6, "ext": 7}
SECCOMP = {"disabled": 0, "strict": 1, "filter": 2}
DISABLED = "disabled"
"""CRIU writes the other modes only (criu/seccomp.c, seccomp_dump_thread)."""
SUPER = {"ro": 1, "sync": 16, "mand": 64, "dirsync": 128}
CLOCKS = ("CLOCK_REALTIME", "CLOCK_MONOTONIC", "CLOCK_PROCESS_CPUTIME_ID", "CLOCK_THREAD_CPUTIME_ID")
NOTIFY = {0: "signal/pid", 1: "none/pid", 2: "thread/pid", 4: "signal/tid"}
"""SIGEV_* as /proc/PID/timers has them; SIGEV_THREAD_ID names a thread instead of a process."""
STATES = {"ESTABLISHED": 1, "CLOSE": 7, "LISTEN": 10, "CLOSE_WAIT": 8, "FIN_WAIT1": 4, "FIN_WAIT2": 5}
TYPES = {"stream": 1, "dgram": 2, "raw": 3, "seqpacket": 5}
PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "udplite": 136, "ip": 0, "raw": 255, "icmpv6": 58}
NETLINK = {"route": 0, "sock_diag": 4, "netfilter": 12, "kobject_uevent": 15, "generic": 16}
NAMES = {"heap": "[heap]", "stack": "[stack]", "vdso": "[vdso]", "vsyscall": "[vsyscall]", "vvar": "[vvar]"}


def facts_of_checkpoint(checkpoint: Checkpoint) -> dict[tuple[Any, ...], Any]:
    """Everything that a checkpoint says and /proc can say, by key."""
    found: dict[tuple[Any, ...], Any] = {}
    for process in checkpoint.processes:
        found.update(_of_process(process, checkpoint))
    for held in checkpoint.sockets:
        if held.holders and held.socket.inode:
            found.update(_of_socket(held.socket))
    found.update(_of_spaces(checkpoint))
    return found


def _of_process(process: Process, checkpoint: Checkpoint) -> Iterator[Fact]:
    pid = process.pid
    if process.state == "zombie":
        yield from ((("zombie", pid, name), value) for name, value in _of_dead(process))
        return
    yield ("process", pid, "state"), process.state
    for name, value in _of_task(process, checkpoint):
        yield ("process", pid, name), value
    yield from ((("memory", pid, name), value) for name, value in _of_memory(pid, checkpoint))
    for thread in process.threads:
        for name, value in _of_thread(thread, checkpoint):
            yield ("thread", pid, thread.tid, name), value
    yield from _of_limits(process, checkpoint)
    for controllers, path in process.cgroups.items():
        yield ("cgroup", pid, controllers), path
    yield from _of_namespaces(process, checkpoint)
    space = checkpoint.memory(pid)
    yield from _of_maps(pid, space.vmas if space is not None else [], checkpoint)
    for descriptor in checkpoint.descriptors(pid):
        for key, value in facts_of_descriptor(descriptor, checkpoint):
            yield ("descriptor", pid, descriptor.fd, *key), value


def _ids(process: Process) -> Iterator[tuple[str, Any]]:
    yield from ((name, getattr(process, name)) for name in ("ppid", "pgid", "sid"))
    yield "comm", _raw(process.comm, process.comm_base64).decode(errors="surrogateescape")


def _of_dead(process: Process) -> Iterator[tuple[str, Any]]:
    yield from _ids(process)
    if process.cmdline is not None:
        yield "cmdline", b"".join(argument + b"\0" for argument in _arguments(process))
    number = numbers_of([process.exit_signal]) if process.exit_signal else 0
    yield "exit_code", (process.exit_code or 0) << 8 | number.bit_length()


def _of_task(process: Process, checkpoint: Checkpoint) -> Iterator[tuple[str, Any]]:
    yield from _ids(process)
    yield "cmdline", b"".join(argument + b"\0" for argument in _arguments(process))
    yield "environ", _environment(process.pid, checkpoint)
    yield "exe", (process.exe or "") + (" (deleted)" if process.exe_deleted else "")
    yield from (("cwd", process.cwd), ("root", process.root), ("Umask", process.umask))
    yield from ((name, getattr(process, name)) for name in ("oom_score_adj", "loginuid", "personality"))
    yield "Threads", len(process.threads)
    yield "ShdPnd", numbers_of(pending.signal for pending in process.pending)
    handlers = {action.signal: action.handler for action in process.actions}
    yield "SigIgn", numbers_of(name for name, handler in handlers.items() if handler == "ignore")
    yield "SigCgt", numbers_of(name for name, handler in handlers.items() if handler != "ignore")
    yield "THP_enabled", _thp(process.pid, checkpoint)
    if process.credentials is not None:
        yield from _credentials(process.credentials)
    yield "Seccomp", SECCOMP[process.seccomp or DISABLED]
    yield "Seccomp_filters", _filters(process.threads[0].seccomp_filter, checkpoint)


def _thp(pid: int, checkpoint: Checkpoint) -> str:
    mm = checkpoint.images.first(f"mm-{pid}.img")
    return "0" if mm is not None and mm.thp_disabled else "1"


def _raw(text: str, encoded: str | None) -> bytes:
    return base64.b64decode(encoded) if encoded else text.encode()


def _arguments(process: Process) -> list[bytes]:
    if process.cmdline_base64:
        return [base64.b64decode(argument) for argument in process.cmdline_base64]
    return [argument.encode() for argument in process.cmdline or []]


def _environment(pid: int, checkpoint: Checkpoint) -> bytes:
    found = b""
    for one in checkpoint.environment(pid) or []:
        value = b"" if one.value is None else b"=" + _raw(one.value, one.value_base64)
        found += _raw(one.name, one.name_base64) + value + b"\0"
    return found


def numbers_of(names: Iterable[str]) -> int:
    """The mask of signals that are given by name."""
    mask = 0
    for name in names:
        base, _, more = name.partition("+")
        number = int(base) if base.isdigit() else 34 if base == "SIGRTMIN" else signal.Signals[base].value
        mask |= 1 << number + int(more or 0) - 1
    return mask


def _capabilities(names: Iterable[str]) -> int:
    return sum(1 << CAPABILITIES.index(name) for name in names)


def _credentials(found: Credentials) -> Iterator[tuple[str, Any]]:
    yield "uids", (found.uid, found.euid, found.suid, found.fsuid)
    yield "gids", (found.gid, found.egid, found.sgid, found.fsgid)
    yield "groups", tuple(found.groups)
    yield "CapInh", _capabilities(found.cap_inheritable)
    yield "CapPrm", _capabilities(found.cap_permitted)
    yield "CapEff", _capabilities(found.cap_effective)
    yield "CapBnd", _capabilities(found.cap_bounding)
    yield "CapAmb", _capabilities(found.cap_ambient)
    yield "NoNewPrivs", int(found.no_new_privs)


def _filters(last: int | None, checkpoint: Checkpoint) -> int:
    """How many filters are in force: the one attached last and those that were before."""
    chain = checkpoint.images.first("seccomp.img")
    count = 0
    while last is not None and chain is not None:
        count += 1
        entry = chain.seccomp_filters[last]
        last = entry.prev if entry.HasField("prev") else None
    return count


def _of_thread(thread: Thread, checkpoint: Checkpoint) -> Iterator[tuple[str, Any]]:
    yield "comm", _raw(thread.comm, thread.comm_base64).decode(errors="surrogateescape")
    yield "SigBlk", numbers_of(thread.blocked)
    yield "SigPnd", numbers_of(pending.signal for pending in thread.pending)
    yield "nice", thread.nice
    if thread.scheduler is not None:
        yield "policy", POLICIES[thread.scheduler]
    yield "Seccomp", SECCOMP[thread.seccomp or DISABLED]
    yield "Seccomp_filters", _filters(thread.seccomp_filter, checkpoint)
    if thread.credentials is not None:
        yield from _credentials(thread.credentials)
    core = checkpoint.images.first(f"core-{thread.tid}.img")
    if core is not None and thread.ip is not None:
        yield "rt_priority", core.thread_core.sched_prio
        yield "sp", int(thread.sp or 0)
        yield "ip", _waiting_at(int(thread.ip), core.thread_info.gpregs)


def _waiting_at(ip: int, registers: Any) -> int:
    """Where the kernel will return to: CRIU steps back to a system call that is to be made again.

    (compel/arch/x86/src/lib/infect.c, compel_get_task_regs; the instruction has two bytes.)
    """
    again = registers.ax == registers.orig_ax
    return ip + 2 if again else ip


def _of_memory(pid: int, checkpoint: Checkpoint) -> Iterator[tuple[str, Any]]:
    mm = checkpoint.images.first(f"mm-{pid}.img")
    if mm is None:
        return
    for name in ("start_code", "end_code"):
        yield name.replace("_", ""), getattr(mm, "mm_" + name)
    yield "startstack", mm.mm_start_stack
    for name in ("start_data", "end_data", "start_brk", "arg_start", "arg_end", "env_start", "env_end"):
        yield name, getattr(mm, "mm_" + name)
    yield "auxv", auxiliary(list(mm.mm_saved_auxv))


def _of_limits(process: Process, checkpoint: Checkpoint) -> Iterator[Fact]:
    for limit in process.rlimits:
        yield ("limit", process.pid, limit.name), (limit.soft, limit.hard)
    core = checkpoint.images.first(f"core-{process.pid}.img")
    raw = {entry.it_id: entry for entry in core.tc.timers.posix} if core is not None else {}
    for timer in process.timers:
        if timer.kind == "posix":
            key = ("timer", process.pid, timer.id)
            yield (*key, "signal"), numbers_of([timer.signal or "0"]).bit_length()
            yield (*key, "clock"), CLOCKS.index(timer.clock) if timer.clock in CLOCKS else timer.clock
            yield (*key, "notify"), NOTIFY.get(raw[timer.id].it_sigev_notify)


def _of_namespaces(process: Process, checkpoint: Checkpoint) -> Iterator[Fact]:
    shared = {(space.kind, space.id): space for space in checkpoint.namespaces}
    for kind, number in process.namespaces.items():
        space = shared[kind, number]
        yield ("namespace", process.pid, kind, "shared-with"), min(space.pids)
        if space.host is not None:
            yield ("namespace", process.pid, kind, "of-parent"), space.host


# --- mappings -----------------------------------------------------------------------------------
def _of_maps(pid: int, vmas: list[Vma], checkpoint: Checkpoint) -> Iterator[Fact]:
    """A guard is no line of /proc/PID/maps: CRIU finds it with PAGEMAP_SCAN."""
    devices = dict(_devices(pid, checkpoint))
    for vma in vmas:
        if vma.kind == "guard":
            continue
        key = ("mapping", pid, hex(vma.start))
        path = NAMES.get(vma.kind) or (vma.path or "") + (" (deleted)" if vma.deleted else "")
        yield (*key, "end"), int(vma.end)
        yield (*key, "perms"), vma.perms
        yield (*key, "path"), path
        if path.startswith("/"):
            yield (*key, "offset"), vma.offset
            if vma.start in devices:
                yield (*key, "device"), devices[vma.start]


def _devices(pid: int, checkpoint: Checkpoint) -> Iterator[tuple[int, str]]:
    """Devices of mapped files, which are those of the mounts that they lie on, by address."""
    mm = checkpoint.images.first(f"mm-{pid}.img")
    mounts = {mount.id: mount.device for mount in checkpoint.mounts}
    for vma in mm.vmas if mm is not None else ():
        file = checkpoint.files[vma.shmid]
        mount = getattr(file.entry, "mnt_id", -1) if file is not None and file.type == "REG" else -1
        if mount in mounts:
            yield vma.start, mounts[mount]


# --- namespaces ---------------------------------------------------------------------------------
def _of_spaces(checkpoint: Checkpoint) -> Iterator[Fact]:
    """The contents of namespaces, each by the lowest pid that is in it."""
    owners = {(space.kind, space.id): min(space.pids) for space in checkpoint.namespaces}
    for mount in checkpoint.mounts:
        yield from _of_mount(mount, owners["mnt", mount.namespace], checkpoint)
    for space in checkpoint.namespaces:
        owner = owners[space.kind, space.id]
        if space.hostname is not None:
            yield ("uts", owner, "hostname"), space.hostname
            yield ("uts", owner, "domainname"), space.domainname
        if space.uid_map:
            for name in ("uid_map", "gid_map"):
                rows = getattr(space, name)
                yield ("user", owner, name), tuple((row.inside, row.outside, row.count) for row in rows)
        if space.monotonic_ns is not None:
            yield ("clock", "monotonic"), space.monotonic_ns
            yield ("clock", "boottime"), space.boottime_ns
    for device in checkpoint.devices:
        key = ("device", owners["net", device.netns], device.name)
        for name in ("index", "mtu", "up", "mac"):
            yield (*key, name), getattr(device, name)
        yield (*key, "addresses"), frozenset(device.addresses)
    for found in checkpoint.ipc:
        yield from _of_ipc(found, owners["ipc", found.namespace], checkpoint)


def _of_mount(mount: Mount, owner: int, checkpoint: Checkpoint) -> Iterator[Fact]:
    """CRIU adds `newinstance` to the options of a devpts (criu/filesystems.c, devpts_parse)."""
    key = ("mount", owner, mount.id)
    for name in ("device", "root", "mountpoint", "fstype", "source"):
        yield (*key, name), getattr(mount, name)
    yield (*key, "parent"), mount.parent_id
    yield (*key, "shared"), mount.shared_id
    yield (*key, "master"), mount.master_id
    yield (*key, "options"), frozenset(mount.flags) - {"rw"}
    options = set(mount.options.split(",")) - {"newinstance" if mount.fstype == "devpts" else ""}
    yield (*key, "super"), frozenset((options | _super_flags(mount, checkpoint)) - {""})


def _super_flags(mount: Mount, checkpoint: Checkpoint) -> set[str]:
    """Flags of the file system itself (linux/mount.h), as CRIU takes them from mountinfo."""
    entries = checkpoint.images.messages(f"mountpoints-{mount.namespace}.img")
    flags = next(entry.sb_flags for entry in entries if entry.mnt_id == mount.id)
    return {name for name, bit in SUPER.items() if flags & bit}


def _description(found: IpcObject, checkpoint: Checkpoint) -> Any:
    entries = checkpoint.images.messages(f"ipcns-{found.kind}-{found.namespace}.img")
    return next(entry.desc for entry in entries if entry.desc.id == found.id)


def _of_ipc(found: IpcObject, owner: int, checkpoint: Checkpoint) -> Iterator[Fact]:
    key = ("ipc", owner, found.kind, found.id)
    number = {"shm": "shmid", "msg": "msqid", "sem": "semid"}[found.kind]
    yield (*key, number), found.id
    yield (*key, "key"), int(found.key, 16)
    yield (*key, "perms"), int(found.mode, 8)
    yield from (((*key, name), getattr(found, name)) for name in ("uid", "gid"))
    desc = _description(found, checkpoint)
    yield from (((*key, name), getattr(desc, name)) for name in ("cuid", "cgid"))
    if found.kind == "shm":
        yield (*key, "size"), found.size
    elif found.kind == "msg":
        yield (*key, "qnum"), found.messages
        waiting = (data for queue, data in waiting_messages(checkpoint.images) if queue == found.id)
        yield (*key, "cbytes"), sum(map(len, waiting))
    else:
        yield (*key, "nsems"), len(found.values or [])


def _of_socket(socket: Any) -> Iterator[Fact]:
    key = ("socket", socket.inode)
    table = socket.family
    if table in ("inet", "inet6"):
        base = "raw" if socket.type == "raw" else socket.protocol
        table = base + ("6" if socket.family == "inet6" else "")
        yield (*key, "remote"), socket.remote
        yield (*key, "received"), socket.recv_queue
        yield (*key, "sent"), socket.send_queue
    yield (*key, "table"), table
    yield (*key, "type"), TYPES.get(socket.type, socket.type)
    protocols = NETLINK if socket.family == "netlink" else PROTOCOLS
    yield (*key, "protocol"), protocols.get(socket.protocol or "ip", socket.protocol)
    yield (*key, "state"), STATES.get(socket.state or "", 0 if socket.state is None else socket.state)
    yield (*key, "local"), socket.local
