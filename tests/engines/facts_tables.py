"""What may move between two readings of /proc, and what CRIU's images do not hold: both with reasons."""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """Keys that match `pattern`, part by part (`facts.compare`).

    `without`: only where the checkpoint says nothing at all of this kind.
    """

    pattern: tuple[str, ...]
    reason: str
    without: str = ""


BETWEEN: tuple[Rule, ...] = (
    Rule(("clock", "*"), "clocks go on"),
    Rule(("descriptor", "*", "*", "timerfd", "it_value"), "the time that is left gets less"),
    Rule(("descriptor", "*", "*", "timerfd", "ticks"), "how often it went off and was not read"),
    Rule(("descriptor", "*", "*", "*", "queued position size"), "bytes that are written and read"),
    Rule(("socket", "*", "received sent"), "bytes on their way"),
    Rule(("mapping", "*", "*", "end"), "a heap or stack that grows"),
)
"""Numbers that must lie between both readings where these differ."""

LEFT_BEHIND: tuple[Rule, ...] = (
    Rule(("process", "*", "ShdPnd"), "a stopped process is stopped once more when CRIU leaves it"),
    Rule(("thread", "*", "*", "ip"), "it is found before the system call that it would make again"),
)
"""What taking a checkpoint changes: it must say what was before."""

MOVES: tuple[Rule, ...] = (
    Rule(("thread", "*", "*", "sp ip"), "where a thread waits; one that runs has none"),
    Rule(("process", "*", "ShdPnd"), "a signal (of a child that ended) waits until the process runs"),
    Rule(("thread", "*", "*", "SigPnd SigBlk"), "shells block signals while they start a child"),
    Rule(("process", "*", "SigIgn SigCgt"), "shells catch them while they wait for a child"),
    Rule(("descriptor", "*", "*", "*", "queued position size"), "bytes that come and go"),
)
"""Further facts of workloads that go on, which may be anything where the readings differ.

Those of a process that ran in between may also differ where the readings agree: what it does again and
again, both may have met.
"""

PASSING = {
    "process": (2, "started"),
    "zombie": (2, "started"),
    "thread": (3, "started"),
    "descriptor": (3, "target"),
    "mapping": (3, "path"),
    "socket": (2, "table"),
}
"""What comes and goes while a workload goes on: a process, a thread, an open file, a mapping, a socket.

It is another one, or none, where the fact named here is not the same in both readings; the number is
that of the parts of the key that name it.  Everything of a process comes and goes with it.
"""

NAMELESS = "pipe socket eventfd epoll inotify fanotify signalfd timerfd pidfd namespace"

NOT_SAID: tuple[Rule, ...] = (
    # --- processes
    Rule(
        ("process", "*", "started exit_signal tty_nr sessionid"),
        "no field of images/core.proto; a restored process starts anew (start_time, field 19, is a comment)",
    ),
    Rule(
        ("process", "*", "coredump_filter timerslack_ns setgroups attr/current"),
        "no image holds them; of the LSM label creds_entry.lsm_profile is written where a LSM is in force",
    ),
    Rule(
        ("process", "*", "Vm* Rss* HugetlbPages FDSize SigQ"),
        "counters of what is in use: sums of mappings, pages in memory, slots of a table",
    ),
    Rule(("process", "*", "Kthread CoreDumping untag_mask"), "the same for whatever can be dumped"),
    Rule(
        ("thread", "*", "*", "Cpus_allowed* Mems_allowed*"),
        "CRIU does not read affinities; of cpusets it keeps the cgroup (criu/cgroup.c)",
    ),
    Rule(("thread", "*", "*", "started"), "no field of images/core.proto, as of processes"),
    Rule(("thread", "*", "*", "Speculation* x86_Thread_features*"), "no field of thread_core_entry"),
    Rule(("thread", "*", "*", "*voluntary_ctxt_switches"), "counters of what was used so far"),
    Rule(
        ("zombie", "*", "*"),
        "of a zombie CRIU writes its ids, name and exit code (criu/cr-dump.c, dump_one_zombie)",
    ),
    Rule(
        ("namespace", "*", "*_for_children", "*"),
        "CRIU refuses a process whose children would live elsewhere (criu/namespaces.c)",
    ),
    # --- descriptors
    Rule(
        ("descriptor", "*", "*", NAMELESS, "device inode mode mount position rdev size"),
        "files without a name are made anew: criu/{pipes,eventfd,eventpoll,fsnotify,signalfd,timerfd}.c",
    ),
    Rule(
        ("descriptor", "*", "*", "file directory chardev blockdev fifo tty memfd", "inode rdev"),
        "reg_file_entry has path, mount and mode; inodes and device numbers are found again by the path",
    ),
    Rule(
        ("descriptor", "*", "*", "memfd", "device mode mount"),
        "lies on a mount of the kernel's own (criu/memfd.c)",
    ),
    Rule(
        ("descriptor", "*", "*", "directory chardev blockdev fifo tty", "size"),
        "the size is written of regular files (criu/files-reg.c, dump_one_reg_file)",
    ),
    Rule(
        ("descriptor", "*", "*", "file", "size"),
        "not of one that is only appended to (criu/files-reg.c, should_check_size)",
    ),
    Rule(("descriptor", "*", "*", "tty", "position"), "a terminal has none: the kernel shows 0"),
    Rule(
        ("descriptor", "*", "*", "pipe fifo", "pipe-size"),
        "written with the data, through a reading end (criu/pipes.c, dump_one_pipe_data)",
    ),
    Rule(("descriptor", "*", "*", "eventfd", "eventfd-id"), "a number of the kernel's own"),
    Rule(
        ("descriptor", "*", "*", "eventfd", "eventfd-semaphore"),
        "eventfd_file_entry has counter and flags: EFD_SEMAPHORE is lost (criu/eventfd.c)",
    ),
    Rule(("descriptor", "*", "*", "socket", "scm_fds"), "how many descriptors are on their way"),
    # --- mappings
    Rule(("mapping", "*", "*", "inode"), "found again by the path, as of descriptors"),
    Rule(
        ("mapping", "*", "*", "device-of-memory"),
        "of mappings of memory that is a file for the kernel only: it lies on no mount of the container",
    ),
    # --- namespaces
    Rule(
        ("mount", "*", "*", "option", "nosymfollow idmapped"),
        "CRIU does not know these options (criu/proc_parse.c, parse_mnt_flags)",
    ),
    Rule(
        ("device", "*", "*", "*"),
        "of a network namespace that the engine keeps (runc: --external net[…]) CRIU writes no netdev-*.img",
        without="device",
    ),
    Rule(
        ("cgroup", "*", "*"),
        "nothing is written of a tree that lives in CRIU's own cgroups (criu/cgroup.c, dump_cgroups)",
        without="cgroup",
    ),
    Rule(
        ("descriptor", "*", "*", "file directory chardev blockdev fifo tty", "mount device"),
        "mounts are written of a mount namespace that is not CRIU's own (criu/mount.c)",
        without="mount",
    ),
    Rule(
        ("mapping", "*", "*", "device"),
        "as of descriptors: mounts that are not written",
        without="mount",
    ),
    Rule(
        ("descriptor", "*", "*", "packet", "inode target"),
        "packet_sock_entry has no inode (images/packet-sock.proto)",
    ),
    Rule(("ipc", "*", "*", "*", "*time"), "no field of images/ipc-{shm,msg,sem}.proto"),
    Rule(("ipc", "*", "*", "*", "lspid lrpid cpid lpid"), "who used it last: no field of the images"),
    Rule(("ipc", "*", "*", "*", "nattch rss swap"), "counters of what is in use"),
)
"""Facts that no image holds; an entry counts only where the checkpoint says nothing."""
