"""A reading of /proc as facts (`facts`)."""

from __future__ import annotations

import dataclasses
import stat
from collections.abc import Iterator
from typing import Any

from facts_open import facts_of_descriptor
from lab.proc_records import Mapped, Opened, Process, Reading, Socket, Thread

Fact = tuple[tuple[Any, ...], Any]

OF_THREADS = [
    "SigPnd",
    "SigBlk",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Seccomp",
    "Seccomp_filters",
    "Speculation_Store_Bypass",
    "SpeculationIndirectBranch",
    "x86_Thread_features",
    "x86_Thread_features_locked",
    "Cpus_allowed",
    "Cpus_allowed_list",
    "Mems_allowed",
    "Mems_allowed_list",
    "voluntary_ctxt_switches",
    "nonvoluntary_ctxt_switches",
]
"""Lines of status that each thread has of its own; the others are the same in all."""
OF_STACK = ("nice", "policy", "rt_priority")
"""Fields of stat that each thread has of its own."""
MASKS = ("SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
DECIMAL = ("NoNewPrivs", "Seccomp", "Seccomp_filters", "Threads")
STATES = {"Z": "zombie", "X": "zombie", "T": "stopped"}
LIMITS = {
    "cpu time": "CPU",
    "file size": "FSIZE",
    "data size": "DATA",
    "stack size": "STACK",
    "core file size": "CORE",
    "resident set": "RSS",
    "processes": "NPROC",
    "open files": "NOFILE",
    "locked memory": "MEMLOCK",
    "address space": "AS",
    "file locks": "LOCKS",
    "pending signals": "SIGPENDING",
    "msgqueue size": "MSGQUEUE",
    "nice priority": "NICE",
    "realtime priority": "RTPRIO",
    "realtime timeout": "RTTIME",
}
"""The words of /proc/PID/limits (fs/proc/base.c, lnames)."""
KNOWN = {"ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime"}
"""Options of a mount that CRIU knows (criu/proc_parse.c, parse_mnt_flags)."""
ATIME, STRICT = {"relatime", "noatime"}, {"strictatime"}
"""A mount that is shown with none of the first is of the last kind (fs/proc_namespace.c)."""
OF_MEMORY = ("/memfd:", "/dev/zero (deleted)", "/SYSV", "/[aio]", "/anon_hugepage", "socket:[")
"""Paths of mapped memory that is a file for the kernel only."""
NO_LOGIN = 0xFFFFFFFF


class Unsure:
    """The value of a fact that /proc shows, but not as it is."""


UNSURE = Unsure()


def facts_of_proc(reading: Reading) -> dict[tuple[Any, ...], Any]:
    """Everything that a reading says, by key."""
    found: dict[tuple[Any, ...], Any] = {}
    for process in reading.processes.values():
        found.update(_of_process(process, reading))
    found.update(_of_spaces(reading))
    for kind, moment in reading.clocks.items():
        found["clock", kind] = moment
    return found


def _of_process(process: Process, reading: Reading) -> Iterator[Fact]:
    pid, state = process.pid, STATES.get(process.state, "alive")
    if state == "zombie":
        yield from ((("zombie", pid, name), value) for name, value in _of_dead(process))
        return
    yield ("process", pid, "state"), state
    yield from ((("process", pid, name), value) for name, value in _of_task(process))
    yield from ((("process", pid, name), value) for name, value in _credentials(process))
    yield from ((("memory", pid, name), value) for name, value in _of_memory(process))
    for thread in process.threads.values():
        yield from ((("thread", pid, thread.tid, name), value) for name, value in _of_thread(thread))
    for limit in process.limits:
        yield ("limit", pid, f"RLIMIT_{LIMITS[limit.name]}"), (_limit(limit.soft), _limit(limit.hard))
    for timer in process.timers:
        yield ("timer", pid, timer.id, "signal"), timer.signal
        yield ("timer", pid, timer.id, "clock"), timer.clock
        yield ("timer", pid, timer.id, "notify"), timer.notify
    for controllers, path in process.cgroups.items():
        yield ("cgroup", pid, controllers), path
    yield from _of_namespaces(process, reading)
    yield from _of_maps(process)
    for fd, opened in process.descriptors.items():
        for name, value in _of_descriptor(opened, reading):
            yield ("descriptor", pid, fd, *name), value


def _of_descriptor(opened: Opened, reading: Reading) -> Iterator[Fact]:
    """Packet sockets are facts of their descriptors: CRIU does not know which of them is which."""
    socket = _listed(reading, opened.inode) if stat.S_ISSOCK(opened.mode) else None
    if socket is None or socket.table != "packet":
        yield from facts_of_descriptor(opened)
        return
    for key, value in facts_of_descriptor(opened):
        unnamed = key in (("target",), ("socket", "inode"))
        yield ("packet", key[-1]) if unnamed else key, value
    for name in ("type", "protocol", "local"):
        yield ("packet", name), getattr(socket, name)


def _listed(reading: Reading, inode: int) -> Socket | None:
    every = (socket for sockets in reading.spaces.sockets.values() for socket in sockets)
    return next((socket for socket in every if socket.inode == inode), None)


def _of_dead(process: Process) -> Iterator[tuple[str, Any]]:
    """What is left of a process; what it had no more is empty, and no fact."""
    yield "exit_code", process.numbers["exit_code"]
    yield from ((name, value) for name, value in _of_task(process) if value not in (b"", ""))
    yield from _credentials(process)
    for kind in process.namespaces:
        yield f"namespace-{kind}", process.namespaces[kind]


def _of_task(process: Process) -> Iterator[tuple[str, Any]]:
    yield from ((name, getattr(process, name)) for name in ("ppid", "pgid", "sid", "comm"))
    yield "started", process.started
    yield "cmdline", process.cmdline
    yield "environ", b"".join(entry + b"\0" for entry in process.environ.split(b"\0") if entry)
    yield from process.links.items()
    for name in ("tty_nr", "exit_signal"):
        yield name, process.numbers[name]
    for name, text in process.texts.items():
        if name not in ("timens_offsets", "uid_map", "gid_map"):  # facts of the namespaces
            yield name, _text(name, text)
    for name, text in process.lines.items():
        if name not in OF_THREADS:
            yield name, _line(name, text)


def _text(name: str, text: str) -> Any:
    if name in ("oom_score_adj", "loginuid"):
        return int(text) if text and int(text) != NO_LOGIN else None
    return int(text, 16) if name == "personality" and text else text.rstrip("\0\n")


def _line(name: str, text: str) -> Any:
    if name in MASKS:
        return int(text, 16)
    return int(text) if name in DECIMAL else text


def _credentials(subject: Process | Thread) -> Iterator[tuple[str, Any]]:
    yield from (("uids", subject.ids.uids), ("gids", subject.ids.gids), ("groups", subject.ids.groups))
    for name in OF_THREADS:
        if name in subject.lines and (name.startswith("Cap") or name in DECIMAL):
            yield name, _line(name, subject.lines[name])


def _of_thread(thread: Thread) -> Iterator[tuple[str, Any]]:
    yield "comm", thread.comm
    yield "started", thread.numbers["starttime"]
    yield from _credentials(thread)
    for name in OF_THREADS:
        if name in thread.lines:
            yield name, _line(name, thread.lines[name])
    if thread.masked:
        yield "SigBlk", UNSURE
    for name in OF_STACK:
        yield name, thread.numbers[name]
    if thread.sp is not None:
        yield "sp", thread.sp
        yield "ip", thread.ip


def _of_memory(process: Process) -> Iterator[tuple[str, Any]]:
    names = ("startcode", "endcode", "start_data", "end_data", "start_brk", "startstack")
    for name in (*names, "arg_start", "arg_end", "env_start", "env_end"):
        yield name, process.numbers[name]
    words = (process.auxv[at : at + 8] for at in range(0, len(process.auxv), 8))
    yield "auxv", auxiliary([int.from_bytes(word, "little") for word in words])


def auxiliary(words: list[int]) -> tuple[int, ...]:
    """The auxiliary vector before AT_NULL, in the order of its types."""
    end = next((at for at in range(0, len(words), 2) if not words[at]), len(words))
    return tuple(words[:end])


def _limit(text: str) -> int | str:
    return text if text == "unlimited" else int(text)


def _of_namespaces(process: Process, reading: Reading) -> Iterator[Fact]:
    others = reading.processes.values()
    for kind, number in process.namespaces.items():
        members = (other for other in others if other.namespaces.get(kind) == number)
        alive = [other.pid for other in members if STATES.get(other.state) != "zombie"]
        yield ("namespace", process.pid, kind, "shared-with"), min(alive)
        if kind in reading.around:
            yield ("namespace", process.pid, kind, "of-parent"), number == reading.around[kind]


def _of_maps(process: Process) -> Iterator[Fact]:
    for row in _one_vvar(process.maps):
        key = ("mapping", process.pid, hex(row.start))
        yield (*key, "end"), row.end
        yield (*key, "perms"), row.perms
        yield (*key, "path"), row.path
        if row.inode or row.path.startswith("/"):
            yield (*key, "offset"), row.offset
            name = "device-of-memory" if row.path.startswith(OF_MEMORY) else "device"
            yield (*key, name), row.device
            yield (*key, "inode"), row.inode


def _one_vvar(rows: tuple[Mapped, ...]) -> list[Mapped]:
    """[vvar] and [vvar_vclock] are one mapping for CRIU, which cannot move one without the other.

    (criu/proc_parse.c, parse_smaps.)
    """
    found: list[Mapped] = []
    for row in rows:
        if row.path == "[vvar_vclock]" and found and found[-1].end == row.start:
            found[-1] = dataclasses.replace(found[-1], end=row.end)
        else:
            found.append(row)
    return found


# --- namespaces ---------------------------------------------------------------------------------
def _of_spaces(reading: Reading) -> Iterator[Fact]:
    """What is in namespaces other than those around; each by the lowest pid that is in it."""
    for kind, read in (
        ("user", _id_maps),
        ("mnt", _mounts),
        ("uts", _names),
        ("net", _devices),
        ("ipc", _segments),
    ):
        for number, owner in _owners(reading, kind).items():
            if number != reading.around.get(kind):
                yield from read(reading, number, owner)
    yield from _sockets(reading)


def _owners(reading: Reading, kind: str) -> dict[int, int]:
    found: dict[int, int] = {}
    for pid in sorted(reading.processes, reverse=True):
        if (number := reading.processes[pid].namespaces.get(kind)) is not None:
            found[number] = pid
    return found


def _id_maps(reading: Reading, _: int, owner: int) -> Iterator[Fact]:
    for name in ("uid_map", "gid_map"):
        rows = reading.processes[owner].texts[name].splitlines()
        yield ("user", owner, name), tuple(tuple(map(int, row.split())) for row in rows)


def _mounts(reading: Reading, _: int, owner: int) -> Iterator[Fact]:
    for mount in reading.processes[owner].mounts:
        for name in ("parent", "device", "root", "mountpoint", "shared", "master", "fstype", "source"):
            yield ("mount", owner, mount.id, name), getattr(mount, name)
        options = frozenset(mount.options.split(",")) - {"rw"}
        for option in options - KNOWN:
            yield ("mount", owner, mount.id, "option", option), True
        options &= KNOWN
        yield ("mount", owner, mount.id, "options"), options if options & ATIME else options | STRICT
        yield ("mount", owner, mount.id, "super"), frozenset(mount.super_options.split(",")) - {"rw"}


def _names(reading: Reading, number: int, owner: int) -> Iterator[Fact]:
    host, domain = reading.spaces.names[number]
    yield ("uts", owner, "hostname"), host
    yield ("uts", owner, "domainname"), domain


def _devices(reading: Reading, number: int, owner: int) -> Iterator[Fact]:
    for device in reading.spaces.devices[number]:
        for name in ("index", "mtu", "up", "mac"):
            yield ("device", owner, device.name, name), getattr(device, name)
        yield ("device", owner, device.name, "addresses"), frozenset(device.addresses)


def _segments(reading: Reading, number: int, owner: int) -> Iterator[Fact]:
    for segment in reading.spaces.segments[number]:
        for name, value in segment.columns.items():
            yield ("ipc", owner, segment.kind, segment.id, name), value


def _sockets(reading: Reading) -> Iterator[Fact]:
    """Sockets that one of the processes holds."""
    opened = (opened for process in reading.processes.values() for opened in process.descriptors.values())
    held = {one.inode: one.socket for one in opened if stat.S_ISSOCK(one.mode)}
    for inode, asked in held.items():
        socket = _listed(reading, inode) or asked
        if socket is not None and socket.table != "packet":
            for name in ("table", "type", "protocol", "state", "local"):
                yield ("socket", socket.inode, name), getattr(socket, name)
            if socket.table.startswith(("tcp", "udp", "raw")):
                yield ("socket", socket.inode, "remote"), socket.remote
                yield ("socket", socket.inode, "received"), socket.received
                yield ("socket", socket.inode, "sent"), socket.sent
