"""Numbers in CRIU's images -> the names that people know.

Numbers are the kernel's (include/uapi/linux: capability.h, sched.h, seccomp.h, resource.h, tcp_states
of net/tcp_states.h; asm-generic for signals, mmap and open) and CRIU's own (criu/include/image.h,
images/*.proto).  Values that differ between architectures are x86's: CRIU writes those of the machine
it runs on; signals and open flags differ on MIPS, open flags and mappings a little on arm, ppc64.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# fmt: off
CAPABILITIES = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
    "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
    "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
)
"""Capabilities by bit."""

SIGNALS = (
    "", "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL",
    "SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT",
    "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF",
    "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
)
"""Signals 1 to 31 by number; 34 to 64 are SIGRTMIN and on."""

SIGRTMIN, LAST_SIGNAL = 34, 64
"""glibc keeps the kernel's 32 and 33 for itself, so that its SIGRTMIN is 34."""

RLIMITS = (
    "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS",
    "RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_MEMLOCK", "RLIMIT_AS", "RLIMIT_LOCKS", "RLIMIT_SIGPENDING",
    "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
)
"""Resource limits in the order of task_rlimits_entry."""

TASK_STATES = {1: "alive", 2: "dead", 3: "stopped", 6: "zombie"}
"""task_core_entry.task_state (compel/include/uapi/task-state.h); CRIU writes zombies as dead."""

FAMILIES = {0: "UNSPEC", 1: "UNIX", 2: "INET", 10: "INET6", 16: "NETLINK", 17: "PACKET", 40: "VSOCK"}
SOCKET_TYPES = {1: "STREAM", 2: "DGRAM", 3: "RAW", 4: "RDM", 5: "SEQPACKET", 6: "DCCP", 10: "PACKET"}
PROTOCOLS = {
    0: "IP", 1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 33: "DCCP", 41: "IPV6", 47: "GRE",
    58: "ICMPV6", 132: "SCTP", 136: "UDPLITE", 255: "RAW", 262: "MPTCP",
}
NETLINK_PROTOCOLS = {
    0: "ROUTE", 2: "USERSOCK", 4: "SOCK_DIAG", 6: "XFRM", 7: "SELINUX", 9: "AUDIT", 10: "FIB_LOOKUP",
    11: "CONNECTOR", 12: "NETFILTER", 15: "KOBJECT_UEVENT", 16: "GENERIC", 20: "RDMA", 21: "CRYPTO",
}
TCP_STATES = {
    1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RECV", 4: "FIN_WAIT1", 5: "FIN_WAIT2", 6: "TIME_WAIT",
    7: "CLOSE", 8: "CLOSE_WAIT", 9: "LAST_ACK", 10: "LISTEN", 11: "CLOSING", 12: "NEW_SYN_RECV",
}
SHUTDOWNS = {0: "NONE", 1: "READ", 2: "WRITE", 3: "BOTH"}

VMA_STATUS = {
    0x1: "REGULAR", 0x2: "STACK", 0x4: "VSYSCALL", 0x8: "VDSO", 0x20: "HEAP", 0x40: "FILE_PRIVATE",
    0x80: "FILE_SHARED", 0x100: "ANON_SHARED", 0x200: "ANON_PRIVATE", 0x400: "SYSVIPC", 0x800: "SOCKET",
    0x1000: "VVAR", 0x2000: "AIORING", 0x4000: "MEMFD", 0x8000: "SHSTK", 1 << 16: "GUARD",
    1 << 17: "UPROBES", 1 << 27: "EXT_PLUGIN", 1 << 28: "CLOSE", 1 << 29: "NO_PROT_WRITE",
    1 << 30: "PREMMAPED", 1 << 31: "UNSUPP",
}
"""vma_entry.status (criu/include/image.h)."""

PROTECTIONS = {0x1: "READ", 0x2: "WRITE", 0x4: "EXEC", 0x01000000: "GROWSDOWN", 0x02000000: "GROWSUP"}
MMAP_FLAGS = {
    0x1: "SHARED", 0x2: "PRIVATE", 0x8: "DROPPABLE", 0x10: "FIXED", 0x20: "ANONYMOUS", 0x40: "32BIT",
    0x100: "GROWSDOWN", 0x800: "DENYWRITE", 0x1000: "EXECUTABLE", 0x2000: "LOCKED", 0x4000: "NORESERVE",
    0x8000: "POPULATE", 0x10000: "NONBLOCK", 0x20000: "STACK", 0x40000: "HUGETLB", 0x80000: "SYNC",
}
OPEN_FLAGS = {
    0o1: "O_WRONLY", 0o2: "O_RDWR", 0o100: "O_CREAT", 0o200: "O_EXCL", 0o400: "O_NOCTTY",
    0o1000: "O_TRUNC", 0o2000: "O_APPEND", 0o4000: "O_NONBLOCK", 0o10000: "O_DSYNC", 0o20000: "O_ASYNC",
    0o40000: "O_DIRECT", 0o100000: "O_LARGEFILE", 0o200000: "O_DIRECTORY", 0o400000: "O_NOFOLLOW",
    0o1000000: "O_NOATIME", 0o2000000: "O_CLOEXEC", 0o4000000: "O_SYNC", 0o10000000: "O_PATH",
    0o20000000: "O_TMPFILE",
}
NAMESPACES = {
    0x80: "time", 0x20000: "mnt", 0x02000000: "cgroup", 0x04000000: "uts", 0x08000000: "ipc",
    0x10000000: "user", 0x20000000: "pid", 0x40000000: "net",
}
"""CLONE_NEW* bits, as in ns_file_entry.ns_cflag, by the name under /proc/PID/ns."""

SECCOMP_MODES = {0: "disabled", 1: "strict", 2: "filter"}
LSM_TYPES = {0: "none", 1: "selinux", 2: "apparmor"}
FILE_SYSTEMS = {
    0: "unsupported", 1: "proc", 2: "sysfs", 3: "devtmpfs", 4: "binfmt_misc", 5: "tmpfs", 6: "devpts",
    7: "simfs", 8: "pstore", 9: "securityfs", 10: "fusectl", 11: "debugfs", 12: "cgroup", 13: "aufs",
    14: "mqueue", 15: "fuse", 16: "auto", 17: "overlay", 18: "autofs", 19: "tracefs", 23: "cgroup2",
}
"""mnt_entry.fstype (enum fstype, images/mnt.proto); `auto`: the name stands in mnt_entry.fsname."""

MARCHES = {
    0: "unknown", 1: "x86_64", 2: "arm", 3: "aarch64", 4: "ppc64", 5: "s390", 6: "mips",
    7: "loongarch64", 8: "riscv64",
}
"""core_entry.mtype."""

FD_TYPES = {
    0: "UND", 1: "REG", 2: "PIPE", 3: "FIFO", 4: "INETSK", 5: "UNIXSK", 6: "EVENTFD", 7: "EVENTPOLL",
    8: "INOTIFY", 9: "SIGNALFD", 10: "PACKETSK", 11: "TTY", 12: "FANOTIFY", 13: "NETLINKSK", 14: "NS",
    15: "TUNF", 16: "EXT", 17: "TIMERFD", 18: "MEMFD", 19: "BPFMAP", 20: "PIDFD", 65534: "CTL_TTY",
    65535: "AUTOFS_PIPE",
}
"""fdinfo_entry.type and file_entry.type (enum fd_types, images/fdinfo.proto)."""

# fmt: on
UNLIMITED = (1 << 64) - 1
"""rlimit_entry.cur and max of no limit."""


def named(number: int, names: Mapping[int, str]) -> str:
    """The name of a number, or the number itself as text."""
    return names.get(number, str(number))


def flags(value: int, names: Mapping[int, str]) -> list[str]:
    """The names of the bits that are set, lowest first; bits without a name are one hex number."""
    found = [name for bit, name in sorted(names.items()) if bit & (bit - 1) == 0 and value & bit]
    rest = value & ~sum(bit for bit in names if bit & (bit - 1) == 0)
    return [*found, f"{rest:#x}"] if rest else found


def capabilities(words: Iterable[int]) -> list[str]:
    """The capabilities of creds_entry.cap_*: words of 32 bits, the low one first."""
    value = sum((word & 0xFFFFFFFF) << 32 * i for i, word in enumerate(words))
    return flags(value, {1 << bit: name for bit, name in enumerate(CAPABILITIES)})


def signal(number: int) -> str:
    """`SIGTERM`, `SIGRTMIN+3`; the number as text if it is no signal's."""
    if 0 < number < len(SIGNALS):
        return SIGNALS[number]
    if SIGRTMIN <= number <= LAST_SIGNAL:
        return f"SIGRTMIN+{number - SIGRTMIN}" if number > SIGRTMIN else "SIGRTMIN"
    return str(number)


def signals(mask: int) -> list[str]:
    """The signals of a mask, whose bit n-1 is signal n."""
    return [signal(bit + 1) for bit in range(LAST_SIGNAL) if mask >> bit & 1]


def rlimit(number: int) -> str:
    """`RLIMIT_NOFILE`; the number as text if the kernel has no such limit."""
    return RLIMITS[number] if 0 <= number < len(RLIMITS) else str(number)
