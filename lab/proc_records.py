"""What /proc says, as records: translated to what the process itself would see, otherwise as it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Ids:
    """Ids of a thread inside its user namespace: real, effective, saved, file system."""

    uids: tuple[int, ...]
    gids: tuple[int, ...]
    groups: tuple[int, ...]


@dataclass(frozen=True)
class Thread:
    """A thread, by its number in its own pid namespace.

    `lines` are those of its status that need no translation, `sp` and `ip` where it waits in the kernel
    (None while it runs); `masked` if it waits with a mask of signals that is not its own.
    """

    tid: int
    comm: str
    state: str
    ids: Ids
    lines: Mapping[str, str]
    numbers: Mapping[str, int]
    sp: int | None = None
    ip: int | None = None
    masked: bool = False


@dataclass(frozen=True)
class Lock:
    """A lock held through a descriptor; `length` 0 is to the end of the file."""

    kind: str
    mode: str
    start: int
    length: int


@dataclass(frozen=True)
class Socket:
    """A line of net/`table`, or what a socket that is in none says itself.

    Addresses are `address:port` (IPv6 in brackets), None where there is none.
    """

    table: str
    inode: int
    type: int
    protocol: int
    state: int
    local: str | None
    remote: str | None
    received: int
    sent: int
    listening: bool = False


@dataclass(frozen=True)
class Opened:
    """A descriptor: the link, what fdinfo says line by line, stat(2) of it, and what waits in it.

    `rows` are the lines of fdinfo that stand several times (`tfd`, `inotify`, `fanotify`); `socket` is
    what an internet socket says of itself: one that is not bound is in no table of /proc/net.
    """

    target: str
    flags: int
    position: int
    mount: int
    inode: int
    mode: int
    size: int
    device: str
    rdev: str
    info: Mapping[str, str] = field(default_factory=dict)
    rows: tuple[tuple[str, Mapping[str, str]], ...] = ()
    locks: tuple[Lock, ...] = ()
    queued: int | None = None
    pipe_size: int | None = None
    socket: Socket | None = None


@dataclass(frozen=True)
class Mapped:
    """A line of maps; `device` is `major:minor` in decimal."""

    start: int
    end: int
    perms: str
    offset: int
    device: str
    inode: int
    path: str


@dataclass(frozen=True)
class Mounted:
    """A line of mountinfo, in the words of proc(5); ids of peer groups are 0 where there is none."""

    id: int
    parent: int
    device: str
    root: str
    mountpoint: str
    options: str
    shared: int
    master: int
    fstype: str
    source: str
    super_options: str


@dataclass(frozen=True)
class Limit:
    """A line of limits."""

    name: str
    soft: str
    hard: str


@dataclass(frozen=True)
class PosixTimer:
    """An entry of timers: the signal it sends and the clock it runs by."""

    id: int
    signal: int
    notify: str
    clock: int


@dataclass(frozen=True)
class Process:
    """A process, by the pids of its own pid namespace; `outside` is the number it was read by.

    `ppid` is 0 where the parent is none of those that were read.  `numbers` are fields of stat by
    their names in proc(5), `texts` are small files of its folder by their names.
    """

    outside: int
    pid: int
    ppid: int
    pgid: int
    sid: int
    started: int
    comm: str
    state: str
    ids: Ids
    lines: Mapping[str, str]
    numbers: Mapping[str, int]
    cmdline: bytes
    environ: bytes
    auxv: bytes
    links: Mapping[str, str]
    texts: Mapping[str, str]
    namespaces: Mapping[str, int]
    cgroups: Mapping[str, str]
    limits: tuple[Limit, ...]
    timers: tuple[PosixTimer, ...]
    maps: tuple[Mapped, ...]
    mounts: tuple[Mounted, ...]
    threads: Mapping[int, Thread]
    descriptors: Mapping[int, Opened]


@dataclass(frozen=True)
class Device:
    """A network device, as `ip -j addr` shows it."""

    name: str
    index: int
    mtu: int
    up: bool
    mac: str | None
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Segment:
    """A line of sysvipc/`kind`, its columns as numbers; uid and gid are those inside."""

    kind: str
    id: int
    columns: Mapping[str, int]


@dataclass(frozen=True)
class Spaces:
    """What is in namespaces rather than in processes: each by the inode number of its namespace."""

    names: Mapping[int, tuple[str, str]]
    devices: Mapping[int, tuple[Device, ...]]
    segments: Mapping[int, tuple[Segment, ...]]
    sockets: Mapping[int, tuple[Socket, ...]]


@dataclass(frozen=True)
class Reading:
    """One look at all processes, by their pids inside.

    `ended` are pids that were gone, or somebody else, before everything of them was read.  `around` are
    the namespaces that the first process's parent lives in.  `clocks` are the readings of CLOCK_MONOTONIC
    and CLOCK_BOOTTIME in nanoseconds, inside.
    """

    first: int
    processes: Mapping[int, Process]
    ended: frozenset[int]
    around: Mapping[str, int]
    spaces: Spaces
    clocks: Mapping[str, int]
