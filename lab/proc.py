"""Everything that /proc says of the processes of a container, read from outside.

It is the oracle for what a checkpoint says: read just before and just after one that left the
container running.  What only has a meaning outside (pids, user ids of another user namespace, paths of
cgroups) is translated to what the processes themselves would see.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable

from lab import proc_parse as parse
from lab.proc_fd import Answer, ask
from lab.proc_net import seen_from, spaces_of
from lab.proc_records import Opened, Process, Reading, Thread

LARGEST = 16 << 20
"""Bytes that are read of one file."""
MOST = 65536
"""Processes, threads of one, descriptors of one."""

LINKS = ("exe", "cwd", "root")
TEXTS = (
    *("oom_score_adj", "loginuid", "personality", "coredump_filter", "timerslack_ns", "timens_offsets"),
    *("uid_map", "gid_map", "setgroups", "sessionid", "attr/current"),
)
TRANSLATED = set("Name State Tgid Pid PPid TracerPid Ngid Uid Gid Groups NStgid NSpid NSpgid NSsid".split())
"""Lines of status that are not in `lines`: those of the reader's own view."""

Inside = Callable[[int], int]


class Gone(Exception):
    """The process ended while it was read."""


def read(first: int, *, tree: bool = False) -> Reading:
    """Read every process of the pid namespace of `first`, or with `tree` those that descend from it.

    `first` is its number outside.  Raises `ProcessLookupError` if there is none.
    """
    around = _namespaces(_parent(first) or first)
    outside = _below(first) if tree else _together(first)
    seen = {name: seen_from(_parent(first) or first, outside, name) for name in ("cgroup", "mountinfo")}
    found: dict[int, Process] = {}
    ended = set()
    numbers = {pid: _number(pid) for pid in outside}
    for pid in outside:
        try:
            process = _process(pid, numbers, {name: texts.get(pid, "") for name, texts in seen.items()})
            found[process.pid] = process
        except Gone:
            ended.add(numbers[pid])
    if numbers.get(first) not in found:
        raise ProcessLookupError(f"there is no process {first}")
    return _reading(numbers[first], found, ended, around)


def _reading(first: int, found: dict[int, Process], ended: set[int], around: dict[str, int]) -> Reading:
    # the eldest of each namespace is asked: a young one may be gone by now
    eldest = reversed(list(found.values()))
    members = {(k, n): p.outside for p in eldest for k, n in p.namespaces.items()}
    init = found[first]
    maps = {name: _id_map(init.outside, name) for name in ("uid", "gid")}
    spaces = spaces_of(members, lambda name, number: maps[name](number))
    return Reading(first, found, frozenset(ended), around, spaces, _clocks(init.texts["timens_offsets"]))


def _clocks(offsets: str) -> dict[str, int]:
    clocks = {"monotonic": time.CLOCK_MONOTONIC, "boottime": time.CLOCK_BOOTTIME}
    rows = (line.split() for line in offsets.splitlines())
    shift = {name: int(seconds) * 10**9 + int(rest) for name, seconds, rest in rows}
    return {name: time.clock_gettime_ns(clock) + shift.get(name, 0) for name, clock in clocks.items()}


# --- which processes ----------------------------------------------------------------------------
def _all() -> list[int]:
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())[:MOST]


def _together(first: int) -> list[int]:
    own = _link(first, "ns/pid")
    if not own:
        raise ProcessLookupError(f"there is no process {first}")
    return [pid for pid in _all() if _link(pid, "ns/pid") == own]


def _below(first: int) -> list[int]:
    parents = {pid: _parent(pid) for pid in _all()}
    found = {first}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


def _parent(pid: int) -> int:
    return int(parse.lines_of(_text(pid, "status")).get("PPid", 0))


def _number(pid: int) -> int:
    """Its number in its own pid namespace; 0 if it is gone."""
    return int(parse.lines_of(_text(pid, "status")).get("NSpid", "0").split()[-1])


# --- files --------------------------------------------------------------------------------------
def _bytes(pid: int, name: str) -> bytes:
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read(LARGEST)
    except OSError:  # ended, or a zombie, which has none
        return b""


def _text(pid: int, name: str) -> str:
    return os.fsdecode(_bytes(pid, name))


def _link(pid: int, name: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/{name}")
    except OSError:
        return ""


def _names(pid: int, name: str) -> list[int]:
    try:
        return sorted(map(int, os.listdir(f"/proc/{pid}/{name}")))[:MOST]
    except OSError:
        return []


# --- one process --------------------------------------------------------------------------------
def _process(pid: int, numbers: dict[int, int], seen: dict[str, str]) -> Process:
    text, status = _text(pid, "stat"), parse.lines_of(_text(pid, "status"))
    if not text or "NSpid" not in status:
        raise Gone
    fields = parse.stat_of(text)
    uid, gid = _id_map(pid, "uid"), _id_map(pid, "gid")
    found = Process(
        outside=pid,
        ppid=numbers.get(int(status["PPid"]), 0),
        **{name: int(status[field].split()[-1]) for name, field in IDS.items()},
        started=fields["starttime"],
        comm=_text(pid, "comm").removesuffix("\n"),
        state=status["State"][0],
        ids=parse.ids_of(status, uid, gid),
        lines=_own_lines(status),
        numbers=fields,
        cmdline=_bytes(pid, "cmdline"),
        environ=_bytes(pid, "environ"),
        auxv=_bytes(pid, "auxv"),
        links={name: _link(pid, name) for name in LINKS},
        texts={name: _text(pid, name).strip() for name in TEXTS},
        namespaces=_namespaces(pid),
        cgroups=parse.cgroups_of(seen["cgroup"]),
        limits=parse.limits_of(_text(pid, "limits")),
        timers=parse.timers_of(_text(pid, "timers")),
        maps=parse.maps_of(_text(pid, "maps")),
        mounts=parse.mounts_of(seen["mountinfo"], {"uid": uid, "gid": gid}),
        threads=dict(_threads(pid, uid, gid)),
        descriptors=dict(_descriptors(pid)),
    )
    if not _same(pid, fields["starttime"]):
        raise Gone
    return found


IDS = {"pid": "NSpid", "pgid": "NSpgid", "sid": "NSsid"}


def _same(pid: int, started: int) -> bool:
    text = _text(pid, "stat")
    return bool(text) and parse.stat_of(text)["starttime"] == started


def _own_lines(status: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in status.items() if name not in TRANSLATED}


def _id_map(pid: int, name: str) -> Inside:
    return parse.id_map(_text(pid, f"{name}_map"))


def _namespaces(pid: int) -> dict[str, int]:
    try:
        kinds = os.listdir(f"/proc/{pid}/ns")
    except OSError:
        return {}
    links = {kind: _link(pid, f"ns/{kind}") for kind in kinds}
    return {kind: int(link.split("[")[1].rstrip("]")) for kind, link in links.items() if link}


def _threads(pid: int, uid: Inside, gid: Inside) -> Iterable[tuple[int, Thread]]:
    for task in _names(pid, "task"):
        folder = f"task/{task}"
        status, stat_ = parse.lines_of(_text(pid, f"{folder}/status")), _text(pid, f"{folder}/stat")
        if "NSpid" not in status or not stat_:
            continue  # this thread has ended, the others have not
        tid = int(status["NSpid"].split()[-1])
        comm = _text(pid, f"{folder}/comm").removesuffix("\n")
        at = parse.waits_at(_text(pid, f"{folder}/syscall"))
        ids, lines = parse.ids_of(status, uid, gid), _own_lines(status)
        yield tid, Thread(tid, comm, status["State"][0], ids, lines, parse.stat_of(stat_), *at)


def _descriptors(pid: int) -> Iterable[tuple[int, Opened]]:
    for fd in _names(pid, "fd"):
        target, text = _link(pid, f"fd/{fd}"), _text(pid, f"fdinfo/{fd}")
        try:
            facts = os.stat(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        if target and text:
            yield fd, _opened(pid, fd, target, text, facts)


def _opened(pid: int, fd: int, target: str, text: str, facts: os.stat_result) -> Opened:
    info, rows, locks = parse.fdinfo_of(text)
    flags, position, mount, inode = (info.pop(name) for name in ("flags", "pos", "mnt_id", "ino"))
    info.pop("Pid", None)  # of a pidfd: a number outside
    asked = ask(pid, fd, facts.st_ino) if _can_wait(facts.st_mode) else Answer()
    return Opened(
        target=target,
        flags=int(flags, 8),
        position=int(position),
        mount=int(mount),
        inode=int(inode),
        mode=facts.st_mode,
        size=facts.st_size,
        device=_device(facts.st_dev),
        rdev=_device(facts.st_rdev),
        info=info,
        rows=tuple(rows),
        locks=tuple(locks),
        queued=asked.queued,
        pipe_size=asked.pipe_size,
        socket=asked.socket,
    )


def _device(number: int) -> str:
    return f"{os.major(number)}:{os.minor(number)}"


def _can_wait(mode: int) -> bool:
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)
