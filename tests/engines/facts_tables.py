"""What may move between two readings of /proc, and what CRIU's images do not hold: both with reasons."""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """Keys that match `pattern`, part by part (`facts.compare`)."""

    pattern: tuple[str, ...]
    reason: str


MOVES: tuple[Rule, ...] = ()
"""Facts of a workload that goes on; numbers that lie between both readings need no entry."""

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
        ("mapping", "*", "*", "device"),
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
    ),
    Rule(("ipc", "*", "*", "*", "*time"), "no field of images/ipc-{shm,msg,sem}.proto"),
    Rule(("ipc", "*", "*", "*", "lspid lrpid cpid lpid"), "who used it last: no field of the images"),
    Rule(("ipc", "*", "*", "*", "nattch rss swap"), "counters of what is in use"),
)
"""Facts that no image holds; an entry counts only where the checkpoint says nothing."""
