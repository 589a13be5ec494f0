"""Files of /proc/PID as records.  Definitions: proc(5), and fs/proc of the kernel for what it leaves out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from lab.proc_records import Ids, Limit, Lock, Mapped, Mounted, PosixTimer

STAT = {
    "tty_nr": 7,
    "nice": 19,
    "starttime": 22,
    "startcode": 26,
    "endcode": 27,
    "startstack": 28,
    "exit_signal": 38,
    "rt_priority": 40,
    "policy": 41,
    "start_data": 45,
    "end_data": 46,
    "start_brk": 47,
    "arg_start": 48,
    "arg_end": 49,
    "env_start": 50,
    "env_end": 51,
    "exit_code": 52,
}
"""Fields of stat by number, counted from 1; the others are counters of what it used so far."""

MAPS = re.compile(r"(\w+)-(\w+) (\S+) (\w+) (\w+):(\w+) (\d+) *(.*)")
LIMIT = re.compile(r"Max (.*?) {2,}(\w+) +(\w+) +(?:\w+ *)?")
LOCK = re.compile(r"\d+: (\w+) +\S+ +(\w+) +-?\d+ \S+ (\d+) (\w+)")
TIMER = re.compile(r"ID: (\d+)\nsignal: (\d+)/\w+\nnotify: (\S+)\nClockID: (-?\d+)")
OCTAL = re.compile(r"\\([0-7]{3})")
MASKING = {128: 0, 130: 0, 270: 5, 271: 3, 281: 4, 333: 5, 441: 5}
"""System calls of x86-64 that wait with a mask of signals, and which argument it is.

rt_sigtimedwait, rt_sigsuspend, pselect6, ppoll, epoll_pwait, io_pgetevents, epoll_pwait2.
"""
REPEATED = ("tfd", "inotify", "fanotify")
PAIR = re.compile(r"([\w-]+): *(\S+)")


def lines_of(text: str) -> dict[str, str]:
    """`Name: value` by name."""
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def stat_of(text: str) -> dict[str, int]:
    """The fields of `STAT`; what stands in parentheses before them may hold anything."""
    fields = text.rpartition(")")[2].split()
    return {name: int(fields[number - 3]) for name, number in STAT.items()}


def id_map(text: str) -> Callable[[int], int]:
    """What an id of the reader is inside, by a uid_map; ids that are not mapped are 65534 there."""
    rows = [tuple(map(int, line.split())) for line in text.splitlines()]

    def inside(number: int) -> int:
        for start, outside, count in rows:
            if outside <= number < outside + count:
                return number - outside + start
        return 65534

    return inside


def ids_of(lines: Mapping[str, str], uid: Callable[[int], int], gid: Callable[[int], int]) -> Ids:
    """Uid, Gid and Groups of a status."""
    return Ids(
        tuple(uid(int(number)) for number in lines["Uid"].split()),
        tuple(gid(int(number)) for number in lines["Gid"].split()),
        tuple(gid(int(number)) for number in lines["Groups"].split()),
    )


class Waiting(NamedTuple):
    """Where a thread waits in the kernel, and whether with another signal mask than its own."""

    sp: int | None = None
    ip: int | None = None
    masked: bool = False


def waits_at(syscall: str) -> Waiting:
    """What syscall says: number, arguments, stack and instruction pointer; nothing while it runs."""
    number, *fields = syscall.split() or [""]
    if len(fields) < 2:
        return Waiting()
    values = [int(field, 16) for field in fields]
    mask = MASKING.get(int(number))
    return Waiting(values[-2], values[-1], mask is not None and values[mask] != 0)


def maps_of(text: str) -> tuple[Mapped, ...]:
    """The lines of maps."""
    found = []
    for line in text.splitlines():
        if row := MAPS.fullmatch(line):
            start, end, offset, major, minor = (int(row[number], 16) for number in (1, 2, 4, 5, 6))
            found.append(Mapped(start, end, row[3], offset, f"{major}:{minor}", int(row[7]), row[8]))
    return tuple(found)


def mounts_of(text: str, inside: Mapping[str, Callable[[int], int]]) -> tuple[Mounted, ...]:
    """The lines of mountinfo; `inside` translates what stands behind `uid=` and `gid=`."""
    return tuple(_mount(line, inside) for line in text.splitlines())


def _option(text: str, inside: Mapping[str, Callable[[int], int]]) -> str:
    name, _, value = text.partition("=")
    return f"{name}={inside[name](int(value))}" if name in inside and value.isdigit() else text


def _mount(line: str, inside: Mapping[str, Callable[[int], int]]) -> Mounted:
    left, _, right = line.partition(" - ")
    number, parent, device, root, mountpoint, options, *optional = left.split(" ")
    fstype, source, more = right.split(" ", 2)
    tags = {name: int(value or 0) for name, _, value in (tag.partition(":") for tag in optional)}
    return Mounted(
        id=int(number),
        parent=int(parent),
        device=device,
        root=plain(root),
        mountpoint=plain(mountpoint),
        options=options,
        shared=tags.get("shared", 0),
        master=tags.get("master", 0),
        fstype=fstype,
        source=plain(source),
        super_options=",".join(_option(option, inside) for option in plain(more).split(",")),
    )


def plain(text: str) -> str:
    """Text in which spaces, tabs, line ends and backslashes stood as octal numbers."""
    return OCTAL.sub(lambda found: chr(int(found[1], 8)), text)


def limits_of(text: str) -> tuple[Limit, ...]:
    """The lines of limits behind the heading."""
    rows = (LIMIT.fullmatch(line) for line in text.splitlines()[1:])
    return tuple(Limit(row[1], row[2], row[3]) for row in rows if row)


def timers_of(text: str) -> tuple[PosixTimer, ...]:
    """The entries of timers."""
    return tuple(
        PosixTimer(int(t[1]), int(t[2]), t[3].split(".")[0], int(t[4])) for t in TIMER.finditer(text)
    )


def cgroups_of(text: str) -> dict[str, str]:
    """Paths by controllers; the unified hierarchy is the empty name."""
    rows = (line.split(":", 2) for line in text.splitlines())
    return {controllers: path for _, controllers, path in rows}


def fdinfo_of(text: str) -> tuple[dict[str, str], list[tuple[str, dict[str, str]]], list[Lock]]:
    """Single lines by name, lines that repeat as (kind, columns), and locks."""
    info, rows, locks = {}, [], []
    for line in text.splitlines():
        name, _, value = line.partition(":")
        kind = name.split(" ")[0]
        if name == "lock" and (lock := LOCK.match(value.strip())):
            locks.append(_lock(lock))
        elif kind in REPEATED:
            rows.append((kind, dict(PAIR.findall(line.removeprefix(kind + " ")))))
        else:
            info[name] = value.strip()
    return info, rows, locks


def _lock(row: re.Match[str]) -> Lock:
    start, last = int(row[3]), row[4]
    return Lock(row[1].lower(), row[2].lower(), start, 0 if last == "EOF" else int(last) + 1 - start)


def table(text: str) -> Iterable[dict[str, int]]:
    """The rows of a table of numbers below a line of names (sysvipc)."""
    names, *rows = (line.split() for line in text.splitlines() or [""])
    return [dict(zip(names, map(int, row), strict=False)) for row in rows]
