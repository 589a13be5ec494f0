"""CRIU's errors about what is around processes: mounts, namespaces, cgroups, processor and kernel."""

from __future__ import annotations

from cryoscope.engines.criu_log.row import NEWER, SAME_MOUNTS, row

ROWS = (
    row(
        "external-mount",
        "a mount comes from outside the container and was not declared",
        SAME_MOUNTS,
        r"doesn't have a proper root mount|No mapping for \d+:\S+ mountpoint",
        r"autodetected external mount",
    ),
    row(
        "mount-sharing",
        "a mount passes on mounts to the host or gets them from it",
        "make the mount private, or dump with enable-external-masters",
        r"unreachable sharing|[Ss]haring group|external slavery|parent collision",
    ),
    row(
        "mount-kind",
        "a file system that is mounted in it cannot be dumped",
        "unmount it first, or declare it as a mount of the container",
        r"unsupported id \d+|is a fuse mount but not external|failed to dump fs|binfmt_misc|autofs",
        r"isn't empty|Unable to dump a file system|tmpfs content",
    ),
    row(
        "mount",
        "its mounts cannot be made as they were",
        SAME_MOUNTS,
        r"Can't (?:bind-)?(?:re-)?mount at|Unable to (?:bind-)?mount|mount points can't be mounted",
        r"Can't restore mntns|mountpoint mismatch|Can't restore ext mount",
        r"Unable to find suitable mount|Can't find mount namespace|another root than mntns",
        r"--root option is required|criu pid's mount ns|No root found for tree",
    ),
    row(
        "netns",
        "its network namespace or a link in it is not as it was",
        "restore it with the same kind of network: a container of the host's network goes on on the host's",
        r"external netns|new netns|unshare net-namespace|Unsupported link|external network namespace",
        r"more than one netns|network links|macvlan|Unknown peer net|veth",
    ),
    row(
        "userns",
        "its user namespace cannot be entered or made",
        "allow user namespaces (user.max_user_namespaces), with the same mapping of ids",
        r"usernsd|\buns:|userns|user namespace|uid_map|gid_map|/mappings buffer|Unable to convert uid",
    ),
    row(
        "nested-namespace",
        "a process in it has made namespaces of its own of a kind that CRIU cannot dump",
        "end that process first",
        r"Can't dump nested \w+ namespace|Nested mount namespaces",
    ),
    row(
        "namespace",
        "a namespace cannot be entered or made",
        "run CRIU as root with CAP_SYS_ADMIN on a kernel with these namespaces",
        r"Can't setns|Failed to setns|join-ns|Join namespaces|namespace file|timens|time namespace",
    ),
    row(
        "cgroup",
        "its cgroups cannot be read or made as they were",
        "restore with cgroups ignored (manage-cgroups ignore), or below a cgroup that exists",
        r"\bcg(?:roup)?s?\b.*(?:fail|Can't|Unable|couldn't|doesn't|not found|Abort|Fail)",
        r"Can't move \d+ into|\bcgns\b|Abort restore of existing cgroups|cgyard|No set \d+ found",
        r"cpuset",
    ),
    row(
        "cpu-features",
        "this processor lacks what the one of the dump had",
        "restore it on the same kind of processor, or with cpu-cap none at your own risk",
        r"(?:CPU|capabilities) .*(?:do not match|unsupported bits|mismatch)|FPU feature required|xsave",
        r"cpuinfo|unknown capability version|unknown vendor|march mismatch",
    ),
    row(
        "soft-dirty",
        "this kernel cannot tell which pages were written (soft-dirty), so there are no dumps in steps",
        "capture in one step, without pre-checkpoint; or use a kernel with CONFIG_MEM_SOFT_DIRTY",
        r"Tracking memory is not available|dirty memory tracker|memory tracking not supported",
        r"mem_dirty_track|Pid-reuse detection failed|PAGEMAP_SCAN",
    ),
    row(
        "vdso",
        "this CRIU does not know this kernel's vDSO",
        NEWER,
        r"vDSO|vdso",
    ),
    row(
        "version",
        "this CRIU does not know these images or this kernel",
        "use the version of CRIU that made the dump, or a newer one",
        r"[Tt]oo old image|Not supported images version|more capabilities than this CRIU",
        r"Images corrupted or too old|ImageUnsupported|Unknown image format|obsolete method",
    ),
    row(
        "kernel-feature",
        "the kernel lacks what CRIU needs",
        "see what `criu check --all` says, and use a newer kernel or CRIU",
        r"kernel (?:lacks|does|doesn't|don't|commit|is too old|has no)|kerndat|kernel features",
        r"by kernel|old kernel|shstk|rseq|THP|userfault|lazy-pages|No proper support",
    ),
    row(
        "uprobes",
        "a tracer has put probes (uprobes) into it",
        "end bpftrace, perf or whatever traces it, or dump with allow-uprobes",
        r"uprobes",
    ),
    row(
        "action-script",
        "a script that the engine gave to CRIU failed",
        "see the engine's log",
        r"script ret code|action scripts failed|Script \S+ exited|dump script failed",
    ),
)
