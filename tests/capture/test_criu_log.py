"""What CRIU's logs and the messages of engines that quote them are made of: one cause, one cure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoscope import limits
from cryoscope.engines import criu_log
from cryoscope.engines.criu_log import runtimes, table
from cryoscope.engines.criu_log.row import Row
from cryoscope.text import escape

HARMLESS = "(00.000695) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Not permitted"
FAILED = "(00.010343) Error (criu/cr-dump.c:1975): Dumping FAILED."

LINES = [
    (
        "tcp-established",
        "sk-inet.c:200): inet: Connected TCP socket, consider using --tcp-established option.",
    ),
    ("tcp-in-flight", "sk-inet.c:185): inet: In-flight connection (l) for 472841"),
    ("tcp-close-missing", "image.c:94): Need to set the --tcp-close options."),
    (
        "tcp-bind-address",
        "sk-inet.c:990): inet: Can't bind inet socket (id 4): Cannot assign requested address",
    ),
    ("tcp-port-taken", "sk-inet.c:990): inet: Can't bind inet socket (id 4): Address already in use"),
    ("tcp-unreachable", "sk-inet.c:1031): inet: Can't connect inet socket back: Network is unreachable"),
    ("tcp-repair", "sk-tcp.c:236): tcp: libsoccr_save() failed with -1"),
    ("firewall", "net.c:3308): net: Locking network failed using nftables"),
    ("sock-diag", "sockets.c:116): sockets: Diag module missing (-2)"),
    ("socket-option", "sockets.c:690): sockets: Can't get 1:34 opt: Operation not supported"),
    ("multipath-tcp", "sk-inet.c:137): inet: Unsupported proto 262 for socket 473cf5"),
    ("socket-kind", "sockets.c:800): sockets: BUG! Unknown socket collected (family 38)"),
    ("unix-in-flight", "sk-unix.c:640): unix: In-flight connection on 0x8b3d"),
    ("unix-external", "sk-unix.c:874): unix: External socket is used. Consider using --ext-unix-sk option."),
    (
        "unix-address",
        "sk-unix.c:1690): unix: Can't bind id 0x7 ino 5537 addr /run/s: No such file or directory",
    ),
    ("ghost-limit", "files-reg.c:1031): Can't dump ghost file /tmp/w/l of 4194304 size, increase limit"),
    ("link-remap", "files-reg.c:1122): Can't create link remap for /tmp/w/l. Use link-remap option."),
    ("file-locks-foreign", "file-lock.c:102): Unresolved lock found pid 8 ino 4711"),
    ("file-locks", "file-lock.c:110): Some file locks are hold by dumping tasks! You can try --file-locks"),
    ("lock-taken", "file-lock.c:628): Can not set flock!"),
    ("inotify-limit", "fsnotify.c:565): fsnotify: Can't add watch for 0x3 with 0x1: No space left on device"),
    ("inotify-overlay", "fsnotify.c:284): fsnotify: \tCan't dump that handle"),
    ("io-uring", "proc_parse.c:479): Unknown shit 600 (anon_inode:[io_uring])"),
    ("aio", "pie/restorer.c:944): Ring setup failed with -11"),
    ("memfd-exec", "proc_parse.c:376): Can't open mapped [/memfd:a (deleted)]: No such file or directory"),
    ("device-file", "files-ext.c:94): Can't dump file 3 of that type [20600] (chr 10:229)"),
    ("device-mapped", "proc_parse.c:663): Can't handle non-regular mapping on 12's map 7f00"),
    ("plugin", "image.c:198): Missing required plugin: cuda_plugin"),
    ("descriptor-kind", "files-ext.c:94): Can't dump file 5 of that type [600] (unknown [perf_event])"),
    ("descriptor-outside", "files-reg.c:1790): Can't lookup mount=24 for fd=10 path=/dev/null"),
    (
        "file-hidden",
        "files-reg.c:1796): Open files on overmounted mounts are not supported yet; mount=1 fd=2",
    ),
    ("epoll", "eventpoll.c:110): epoll: Escaped/closed fd descriptor 7 on pid 12"),
    ("file-changed", "files-reg.c:2175): File var/log/app has bad size 12 (expect 10)"),
    ("file-missing", "files-reg.c:2267): Can't open file var/lib/out: No such file or directory"),
    ("pid-taken", "cr-restore.c:1230): Can't fork for 400: File exists"),
    ("pid-taken", "cr-restore.c:1539): Pid 12 do not match expected 13"),
    ("pids-limit", "cr-restore.c:1230): Can't fork for 400: Resource temporarily unavailable"),
    ("pid-namespace", "cr-restore.c:2035): This process tree can only be restored in a new pid namespace."),
    ("self-dump", "infect.c:259): The criu itself is within dumped tree."),
    ("nested-ptrace", "infect.c:261): Unseizable non-zombie 12 found, state S, err -1/10"),
    ("process-gone", "infect.c:132): Unable to interrupt task: 9999 (No such process)"),
    ("session-conflict", "pstree.c:386): Current sid 12 intersects with pid (4) in images"),
    ("tty-session", "tty.c:1830): tty: Found dangling tty with sid 1 pgid 2 (pts) on peer fd 0."),
    ("session-leader", "cr-dump.c:1528): A session leader of 177(177) is outside of its pid namespace"),
    ("terminal", "tty.c:410): tty: Found slave peer index 0 without correspond master peer"),
    ("timeout", "cr-dump.c:1808): Timeout reached. Try to interrupt: 0"),
    ("freeze", "seize.c:635): Unable to freeze cgroup /sys/fs/cgroup/freezer/a (100 x 100ms attempts)"),
    ("task-state", "seize.c:952): Individually stopped threads not supported"),
    ("32-bit", "infect.c:612): Can't dump task 12 running in 32-bit mode"),
    ("seccomp", "pie/restorer.c:542): seccomp: PR_SET_SECCOMP returned -22 on tid 4"),
    ("lsm", "pie/restorer.c:196): can't write lsm profile -2"),
    ("rlimit-user", "cr-dump.c:389): Can't get rlimit 0: Operation not permitted"),
    ("capabilities", "pie/restorer.c:347): Unable to restore capabilities: -1"),
    ("score", "cr-restore.c:592): Write -1000 to /proc/self/oom_score_adj failed: Permission denied"),
    ("sysv-attached", "cr-dump.c:478): Task 368 with SysVIPC shmem map @7fc6c5e90000 doesn't live in IPC ns"),
    ("sysv", "ipc_ns.c:858): Failed to set desired IPC shm ID"),
    ("external-mount", "mount.c:1402): mnt: 617:./dev/urandom doesn't have a proper root mount"),
    ("external-mount", "mount.c:3141): mnt: No mapping for 1231:(null) mountpoint"),
    ("mount-sharing", "mount.c:1500): mnt: Mount 4 /a (master_id: 1 shared_id: 0) has unreachable sharing."),
    ("mount-kind", "mount.c:1290): mnt: FS mnt ./x dev 0x2d root / unsupported id 12"),
    ("mount", "mount.c:2301): mnt: Can't mount at ./etc/x: No such file or directory"),
    ("netns", "net.c:2942): net: Unable to find an external netns: extRootNetNS"),
    ("userns", "namespaces.c:1203): Unable to write into /proc/4/uid_map: Operation not permitted"),
    ("nested-namespace", "namespaces.c:460): Can't dump nested pid namespace for 408"),
    ("namespace", "namespaces.c:258): Can't setns 4/ipc: Operation not permitted"),
    ("cgroup", "cgroup.c:1140): cg: Can't move 4 into pids//a (-1/13): No such process"),
    ("cpu-features", "arch/x86/cpu.c:297): cpu: CPU capabilities do not match run time"),
    ("soft-dirty", "config.c:1131): Tracking memory is not available. Consider omitting --track-mem option."),
    ("vdso", "vdso.c:50): vdso: Unexpected rt vDSO area bounds"),
    ("version", "image.c:89): Not supported images version 2"),
    ("kernel-feature", "crtools.c:280): Could not initialize kernel features detection."),
    ("uprobes", "proc_parse.c:614): PID 4 has uprobes vma. Consider using --allow-uprobes."),
    ("action-script", "action-scripts.c:156): One of more action scripts failed"),
    ("no-space", "page-xfer.c:263): page-xfer: Unable to spice data: No space left on device"),
    ("no-memory", "mem.c:1363): Unable to reserve memory (4096 bytes): Cannot allocate memory"),
    (
        "image-parent",
        "page-xfer.c:900): No parent image found, though parent directory is set: Not a directory",
    ),
    ("image-missing", "image.c:726): Can't open dir /tmp/nowhere: No such file or directory"),
    ("image-corrupt", "image.c:563): Magic doesn't match for core-1.img"),
    ("image-write", "image.c:845): Can't write img file: Read-only file system"),
    ("parasite", "infect.c:776): Can't allocate memory for parasite blob (pid: 4)"),
    ("permission", "util.c:900): You need to be root to run this command"),
]
"""What CRIU 4.2 prints, by the code of its cause: provoked, or as its source has it."""

SAID = [
    (
        "missing",
        'check for CRIU failed to check for criu version: exec: "criu": executable file not found in $PATH',
    ),
    ("version", "CRIU binary not found or too old (<31600). Failed to checkpoint container 9"),
    ("soft-dirty", "crun: memory tracking not supported. Please check CRIU logfile /run/dump.log"),
    ("soft-dirty", "criu is missing features: [MemTrack]"),
    ("kernel-feature", "CRIU feature checking failed -1.  Please check CRIU logfile /run/work/dump.log"),
    ("not-running", "failed to pause container: container not running : container process not found"),
]
"""What runtimes and engines say of CRIU in their own words."""

QUOTED = r"""failed to checkpoint container 5c81: running "/usr/sbin/runc" ["checkpoint"] failed: time="2026-11-22T02:29:13Z" level=warning msg="--- Quoting \"/var/lib/containers/storage/userdata/dump.log\""
time="2026-11-22T02:29:13Z" level=warning msg="20:(00.000697) ========================================"
time="2026-11-22T02:29:13Z" level=warning msg="21:(00.000706) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted"
time="2026-11-22T02:29:13Z" level=warning msg=...
time="2026-11-22T02:29:13Z" level=warning msg="645:(00.009927) Error (criu/sk-inet.c:200): inet: Connected TCP socket, consider using --tcp-established option."
time="2026-11-22T02:29:13Z" level=warning msg="647:(00.009943) Error (criu/cr-dump.c:1545): Dump files (pid: 2912) failed with -1"
time="2026-11-22T02:29:13Z" level=warning msg="663:(00.068389) Error (criu/cr-dump.c:1975): Dumping FAILED."
time="2026-11-22T02:29:13Z" level=error msg="criu failed: type DUMP errno 0"
"""  # noqa: E501 - as CRI-O answers
RUNC = (
    "/usr/sbin/runc did not terminate successfully: exit status 1: criu failed: type DUMP errno 0 "
    "path= /run/containerd/io.containerd.runtime.v2.task/k8s.io/8ff5/criu-dump.log"
)


def cause(text: str) -> criu_log.Cause:
    found = criu_log.explain(text)
    assert found is not None
    return found


@pytest.mark.parametrize(("code", "line"), LINES, ids=[f"{code}-{at}" for at, (code, _) in enumerate(LINES)])
def test_each_error_has_its_cause_between_the_harmless_one_and_the_end(code: str, line: str) -> None:
    mark = "Warn  (" if "interrupt task" in line else "Error ("
    found = cause("\n".join([HARMLESS, f"(00.009927) {mark}criu/{line}", FAILED]))
    assert found.code == f"criu.{code}"
    assert found.what
    assert found.cure
    assert len(found.line) > 10
    assert found.line.replace("\\t", "\t") in line
    assert "{" not in found.what


@pytest.mark.parametrize(("code", "line"), SAID)
def test_what_runtimes_say_in_their_own_words(code: str, line: str) -> None:
    assert cause(line).code == f"criu.{code}"


def test_every_row_of_the_table_is_shown_by_a_line_of_these() -> None:
    def first(rows: tuple[Row, ...], line: str) -> Row | None:
        return next((row for row in rows if row.shows.search(line)), None)

    assert {first(table.ROWS, line.partition("): ")[2]) for _, line in LINES} == {*table.ROWS}
    assert {first(runtimes.ROWS, line) for _, line in SAID} == {*runtimes.ROWS}


def test_codes_are_stable_words_and_every_row_has_a_cure() -> None:
    for row in (*table.ROWS, *runtimes.ROWS):
        assert row.code.removeprefix("criu.").replace("-", "").isalnum()
        assert row.cure
        assert not row.what.endswith(".")


def test_a_message_that_quotes_the_log_has_the_same_cause() -> None:
    found = cause(QUOTED)
    assert found.code == "criu.tcp-established"
    assert found.line == "inet: Connected TCP socket, consider using --tcp-established option."
    assert cause(QUOTED.replace("\n", "\\n")) == found


def test_a_message_with_nothing_but_the_harmless_line_says_that_the_reason_is_elsewhere() -> None:
    assert cause(f"crun: {HARMLESS}").code == "criu.reason-elsewhere"
    assert cause(RUNC).code == "criu.reason-elsewhere"
    assert (
        criu_log.log_named(RUNC) == "/run/containerd/io.containerd.runtime.v2.task/k8s.io/8ff5/criu-dump.log"
    )
    assert criu_log.log_named(QUOTED) == "/var/lib/containers/storage/userdata/dump.log"
    assert (
        criu_log.log_named("CRIU checkpointing failed -52.  Please check CRIU logfile /w/../dump.log") is None
    )


def test_an_unknown_error_is_shown_as_it_is() -> None:
    found = cause(f"{HARMLESS}\n(00.1) Error (criu/new.c:1): something new happened\n{FAILED}")
    assert found.code == "criu.failed"
    assert found.line == "something new happened"


def test_the_end_of_a_dump_alone_is_told_when_nothing_else_is() -> None:
    assert cause(FAILED).code == "criu.failed"


def test_a_dump_that_went_well_has_no_cause() -> None:
    well = "(00.1) Error (criu/x.c:1): No space left on device\n(00.2) Dumping finished successfully\n"
    assert criu_log.explain(HARMLESS + "\n" + well) is None
    assert criu_log.explain("no such container") is None
    assert criu_log.explain(b"") is None


def test_nothing_of_a_hostile_log_reaches_a_terminal_or_a_format() -> None:
    path = "/tmp/{0.__class__}\x1b[31m\u202e{1}"
    found = cause(f"Error (criu/files-reg.c:1): Can't dump ghost file {path} of 9 size, increase limit")
    assert "{0.__class__}" in found.what
    assert not {"\x1b", "\u202e"} & {*found.what, *found.line}


@pytest.mark.parametrize("line", ["Error (criu/a.c:1): " + "cg " * 100_000, "Can't bind inet socket " * 9999])
def test_long_lines_are_cut(line: str) -> None:
    found = cause("Error (criu/a.c:1): " + line)
    assert len(found.line) <= 500
    assert len(found.what) < 1000


def test_only_the_end_of_a_log_without_end_is_read() -> None:
    many = (HARMLESS + "\n") * (limits.CRIU_LOG // len(HARMLESS) + 1)
    early = "Error (criu/sk-inet.c:200): inet: Connected TCP socket\n"
    assert cause(early + many).code == "criu.reason-elsewhere"
    assert cause(many + early).code == "criu.tcp-established"


@given(st.binary(max_size=2000))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    criu_log.explain(data)
    found = criu_log.explain(b"Error (criu/a.c:1): " + data + b"\n" + FAILED.encode())
    assert found is not None
    assert found.line == escape(found.line)
