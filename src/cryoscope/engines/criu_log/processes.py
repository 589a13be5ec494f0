"""CRIU's errors about processes: their numbers, sessions, states, users and filters."""

from __future__ import annotations

from cryoscope.engines.criu_log.row import OUTSIDE, row

ROWS = (
    row(
        "pid-taken",
        "process id {0} is taken here",
        "end the process that has it, or restore in the sandbox, which counts its own",
        r"Can't fork for (\d+): File exists",
    ),
    row(
        "pids-limit",
        "the limit of processes is reached",
        "raise the limit of processes of the copy or of its user",
        r"[Cc]an't fork.*temporarily unavailable|Unable to create a thread: -11",
    ),
    row(
        "pid-taken",
        "a process or thread cannot get the number it had",
        "restore in a pid namespace of its own, with CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN",
        r"Pid \d+ do not match expected|Setting PID failed|set last_pid|Unable to create a thread: -17",
        r"Failed to write \d+ to /proc/\S*ns_last_pid|needs to be 1 and not",
    ),
    row(
        "pid-namespace",
        "it must have a pid namespace of its own",
        "restore it as a container with the pid namespace that it had",
        r"only be restored in a new pid|pid namespace without the process init|empty PID namespace",
        r"external pidns|existing PID namespace",
    ),
    row(
        "self-dump",
        "CRIU would have to dump itself",
        "run the capture from outside the process tree",
        r"criu itself is within dumped tree",
    ),
    row(
        "nested-ptrace",
        "process {0}{1} is traced already, by a debugger or a sandbox, or is CRIU itself",
        "end strace, gdb or whatever traces it",
        r"Unseizable non-zombie (\d+) found|Unable to interrupt task: (\d+) \(Operation not permitted",
    ),
    row(
        "process-gone",
        "process {0} has ended",
        "see that it runs, and try again",
        r"Unable to interrupt task: (\d+) \(No such process",
    ),
    row(
        "session-conflict",
        "the session of whoever restores it has a number that it needs",
        "restore from another session (setsid)",
        r"Current [sg]id \d+ intersects",
    ),
    row(
        "tty-session",
        "it belongs to the session or terminal of a shell outside of it",
        "start it in a session of its own (setsid, input and output to files), or dump with shell-job",
        r"Found dangling tty|attached to shell terminal|not a session leader|ctty inheritance",
        r"No task found with sid|inherit session from|self_stdin_fdid|Requested sid \d+ doesn't match",
        r"Can't restore [ps]g?id|figure out which sid|find a session leader",
    ),
    row(
        "session-leader",
        "its session was begun outside its pid namespace",
        OUTSIDE,
        r"session leader of (?:zombie process )?\d+\(\d+\) is outside",
    ),
    row(
        "terminal",
        "its terminal cannot be dumped or restored",
        "run it without a terminal, or " + OUTSIDE,
        r"\btty\b.*(?:driver|index|PTY|pty|sid)|find a master for|Unable to find a tty driver|ptmx",
        r"pts is too big",
    ),
    row(
        "timeout",
        "CRIU's own time limit was reached",
        "try again when the machine is less busy, or raise CRIU's timeout",
        r"Timeout reached|Unable to interrupt the current operation",
    ),
    row(
        "freeze",
        "its cgroup cannot be frozen",
        "see what waits without end in the container (state D in ps), and try again",
        r"Unable to freeze cgroup|(?:Unable to|Can't) (?:thaw|freeze) tasks|[Uu]nknown freezer state",
        r"freezer FD|freezer\.state\) or cgroupv2",
    ),
    row(
        "task-state",
        "a process was in a state that CRIU cannot dump",
        "try again; a zombie must be waited for by its parent first",
        r"Zombies? (?:with|thread)|zombie \d+ .* found while seizing|Individually stopped threads",
        r"pending SIGTRAP|task not stopped after seize|unsupported stop signal|root task is dead",
        r"Can't catch all tasks|pid reused while suspending",
    ),
    row(
        "32-bit",
        "it runs 32-bit code that this CRIU or kernel cannot dump",
        "CRIU cannot dump it here; save its memory with a core dump instead",
        r"32-bit mode|Compatible mode without vdso|LDT descriptors",
    ),
    row(
        "seccomp",
        "its system call filters (seccomp) cannot be read or set",
        "run CRIU with CAP_SYS_ADMIN, outside any filter, on a kernel with CONFIG_CHECKPOINT_RESTORE",
        r"seccomp",
    ),
    row(
        "lsm",
        "its security profile (AppArmor or SELinux) cannot be read or set here",
        "restore where the same profiles are loaded, or give another with lsm-profile",
        r"mismatched lsm|lsm profile|lsm types|[Aa]pp[Aa]rmor|AA (?:policy|namespace)|\baa \w+",
        r"[Ss][Ee][Ll]inux|err scanfing|unknown lsm",
    ),
    row(
        "rlimit-user",
        "it belongs to another user, and CRIU has no CAP_SYS_RESOURCE to read its limits",
        "give the machine CAP_SYS_RESOURCE, or run the container in a user namespace",
        r"Can't get rlimit \d+: Operation not permitted",
    ),
    row(
        "capabilities",
        "its user, groups or capabilities cannot be set here",
        "restore as root with all capabilities that it had",
        r"Unable to (?:restore|drop|raise ambient) capabilit|Can't setgroups",
        r"Unable to set (?:real|fsuid|fsgid)|SECUREBITS|SECURE_NO_SETUID|no_new_privs|PR_SET_MM",
    ),
    row(
        "score",
        "its OOM score or login user cannot be set here",
        "restore with CAP_SYS_RESOURCE and CAP_AUDIT_CONTROL",
        r"oom_score_adj|loginuid",
    ),
    row(
        "sysv-attached",
        "it has System V shared memory of an IPC namespace that is not its own",
        "give the container an IPC namespace of its own",
        r"SysVIPC shmem map|[Ss]ys[Vv] shmem",
    ),
    row(
        "sysv",
        "its System V messages, semaphores or shared memory cannot be dumped or restored",
        "restore in an IPC namespace of its own",
        r"IPC (?:shared memory|message|semaphore|shm|sem|msg|variables|namespace)|\bipc_sysctl",
    ),
)
