"""Detectors about processes: each beside the same container without what it looks for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.examine.findings.scenes import (
    O_RDONLY,
    O_WRONLY,
    Fd,
    Proc,
    container,
    found,
    inet,
    pipe,
    severities,
    terminal,
    unix,
)

FAR = ("192.0.2.7", 4444)
SERVER = Proc(1, ["server"])
Streams = dict[int, Fd]


def all_of(fd: Fd) -> Streams:
    return dict.fromkeys((0, 1, 2), fd)


def shell(argv: str = "sh -i", **fields: Any) -> Proc:
    return Proc(7, argv.split(), exe="/bin/dash", comm="sh", **fields)


# --- programs -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("exe", "rootfs", "detector", "severity"),
    [
        ("/memfd:x (deleted)", {}, "memfd-executable", "high"),
        ("/memfd:runc_cloned:/proc/self/exe (deleted)", {}, "memfd-executable", "info"),
        ("/tmp/dropper (deleted)", {}, "deleted-executable", "high"),
        ("/opt/agent (deleted)", {}, "deleted-executable", "medium"),  # bare images do not tell of files
        ("/opt/agent (deleted)", {"/opt/agent": b"new"}, "deleted-executable", "medium"),
        ("/dev/shm/x", {}, "temporary-executable", "high"),
        ("/tmp/.x/y", {}, "temporary-executable", "high"),
        ("/tmp/x", {}, "temporary-executable", "medium"),
        ("/tmp/go-build12/b001/exe/main", {}, "temporary-executable", "low"),
        ("/tmp/.mount_appabc/run", {}, "temporary-executable", "low"),
        ("/opt/tool", {"/opt/tool": b"\x7fELF"}, "added-executable", "medium"),
    ],
)
def test_a_program_that_is_not_the_images(
    exe: str, rootfs: dict[str, bytes], detector: str, severity: str
) -> None:
    checkpoint = container(SERVER, Proc(7, ["x"], exe=exe), rootfs=rootfs)
    assert severities(checkpoint, detector) == [(detector, severity)]
    (finding,) = found(checkpoint, detector)
    assert (finding.evidence[0].pid, finding.evidence[0].path) == (7, exe.removesuffix(" (deleted)"))


PROGRAMS = ("memfd-executable", "deleted-executable", "temporary-executable", "added-executable")


PODMAN = {"annotations": {"io.container.manager": "libpod"}}


def test_a_program_that_was_deleted_and_never_replaced() -> None:
    checkpoint = container(SERVER, Proc(7, ["x"], exe="/opt/x (deleted)"), rootfs={}, spec=PODMAN)
    assert checkpoint.container.engine == "podman"
    assert severities(checkpoint, *PROGRAMS) == [("deleted-executable", "high")]


def test_programs_of_the_image() -> None:
    assert severities(container(SERVER, shell(), rootfs={"/etc/x": b""}), *PROGRAMS) == []


def test_a_program_that_was_upgraded_is_no_deleted_dropper() -> None:
    listed = b"Package: server\nStatus: install ok installed\n"
    rootfs = {
        "/usr/bin/server": b"new",
        "/var/lib/dpkg/status": listed,
        "/var/lib/dpkg/info/server.md5sums": b"22af645d1859cb5ca6da0c484f1f37ea  usr/bin/server\n",
    }
    checkpoint = container(Proc(1, ["server"], exe="/usr/bin/server (deleted)"), rootfs=rootfs)
    assert severities(checkpoint, *PROGRAMS) == [("deleted-executable", "low")]


# --- remote shells --------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("process", "severity"),
    [
        (shell(fds=all_of(inet(FAR))), "high"),
        (shell("sh", fds={0: inet(FAR)}), "high"),
        (shell("sh", fds={1: inet(FAR), 2: inet(FAR)}), "high"),
        (shell(fds=all_of(inet(FAR, state=7))), "high"),  # --tcp-close
        (Proc(7, ["python3", "-c", "x"], exe="/usr/bin/python3.14", fds=all_of(inet(FAR))), "high"),
        (Proc(7, ["nc", "x"], exe="/usr/bin/nc.openbsd", fds=all_of(inet(FAR))), "high"),
        (Proc(7, ["thing"], exe="/opt/thing", fds=all_of(inet(FAR))), "medium"),
        (shell("sh", fds={2: inet(FAR)}), None),
        (shell(fds=all_of(terminal())), None),
        (shell(fds={0: pipe(1, O_RDONLY)}), None),
        (Proc(7, ["python3"], exe="/usr/bin/python3.14", fds={5: inet(FAR)}), None),
        (Proc(7, ["curl"], exe="/usr/bin/curl", fds={0: pipe(1, O_RDONLY), 1: inet(FAR)}), None),
        (Proc(7, ["thing"], exe="/opt/thing", fds=all_of(inet(None, state=10))), None),
    ],
)
def test_connections_as_standard_streams(process: Proc, severity: str | None) -> None:
    expected = [] if severity is None else [("reverse-shell", severity)]
    assert severities(container(SERVER, process), "reverse-shell") == expected


@pytest.mark.parametrize("server", ["/usr/sbin/inetd", "/usr/sbin/xinetd", "/usr/bin/tcpserver"])
def test_servers_that_hand_connections_over(server: str) -> None:
    parent = Proc(3, [server], exe=server)
    child = shell("sh /srv/answer.sh", ppid=3, fds=all_of(inet(FAR)))
    assert severities(container(SERVER, parent, child), "reverse-shell") == [("reverse-shell", "low")]


def test_evidence_of_a_remote_shell() -> None:
    (finding,) = found(container(SERVER, shell(fds=all_of(inet(FAR)))), "reverse-shell")
    streams = [(each.fd, each.text) for each in finding.evidence[1:]]
    line = "tcp 10.88.0.2:51234 to 192.0.2.7:4444, ESTABLISHED"
    assert streams == [(0, line), (1, line), (2, line)]


def relayed(shells: Streams, relays: Streams, exe: str = "/usr/bin/nc.openbsd") -> list[tuple[str, str]]:
    relay = Proc(8, ["nc", "192.0.2.7", "4444"], exe=exe, fds=relays | {3: inet(FAR)})
    return severities(container(SERVER, shell(fds=shells), relay), "reverse-shell")


def test_shells_behind_a_relay() -> None:
    into, out = pipe(1, O_RDONLY), pipe(1, O_WRONLY)
    assert relayed({1: out, 2: out}, {0: into}) == [("reverse-shell", "high")]
    assert relayed({0: into}, {1: out}) == [("reverse-shell", "high")]
    assert relayed({0: unix(5, 6)}, {9: unix(6, 5)}, "/usr/bin/socat") == [("reverse-shell", "high")]
    assert relayed({2: out}, {2: out}) == []  # both write to the container's log
    assert relayed({1: pipe(2, O_WRONLY)}, {0: into}) == []
    assert relayed({1: out}, {0: into}, "/usr/bin/tee") == [("reverse-shell", "high")]  # called nc


def test_a_pipe_to_a_program_that_is_no_relay() -> None:
    server = Proc(8, ["collector"], exe="/opt/collector", fds={0: pipe(1, O_RDONLY), 3: inet(FAR)})
    writer = shell("sh -c x", fds={1: pipe(1, O_WRONLY)})
    assert severities(container(SERVER, server, writer), "reverse-shell") == []


# --- shells ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("process", "severity"),
    [
        (shell("sh", fds=all_of(terminal())), "medium"),
        (shell("-bash", fds=all_of(terminal())), "medium"),
        (shell("bash -i"), "medium"),
        (shell("sh -c run", fds=all_of(terminal())), None),
        (shell("sh /entry.sh", fds=all_of(terminal())), None),
        (shell("sh"), None),
        (Proc(7, ["top"], exe="/usr/bin/top", fds=all_of(terminal())), None),
    ],
)
def test_interactive_shells(process: Proc, severity: str | None) -> None:
    expected = [] if severity is None else [("interactive-shell", severity)]
    assert severities(container(SERVER, process), "interactive-shell") == expected


def test_containers_that_are_shells_themselves() -> None:
    typed = all_of(terminal())
    first = Proc(1, ["bash"], exe="/usr/bin/bash", fds=typed)
    assert severities(container(first, shell(fds=typed)), "interactive-shell") == []
    spec = {"process": {"terminal": True, "args": ["server"]}}
    assert severities(container(SERVER, shell(fds=typed), spec=spec), "interactive-shell") == []
    idle = Proc(1, ["sleep", "infinity"], exe="/usr/bin/sleep")
    assert severities(container(idle, shell(fds=typed)), "interactive-shell") == [
        ("interactive-shell", "low")
    ]


def test_shells_of_servers() -> None:
    def under(exe: str, argv: str, child: Proc) -> list[tuple[str, str]]:
        return severities(container(Proc(1, [argv], exe=exe), child), "service-shell")

    web = ("/usr/sbin/nginx", "nginx: worker process")
    assert under(*web, shell("sh -c id", ppid=1)) == [("service-shell", "medium")]
    fetch = Proc(7, ["curl", "x"], exe="/usr/bin/curl", ppid=1)
    assert under("/usr/sbin/apache2", "apache2", fetch) == [("service-shell", "medium")]
    assert under(*web, Proc(7, ["nginx: worker process"], exe="/usr/sbin/nginx", ppid=1)) == []
    assert under("/usr/bin/tini", "tini", shell("sh -c id", ppid=1)) == []
    archiver = ("/usr/lib/postgresql/17/bin/postgres", "postgres: archiver archiving 0001")
    assert under(*archiver, shell("sh -c cp", ppid=1)) == []


# --- names ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("process", "severity"),
    [
        (Proc(7, ["[kworker/0:1]"], exe="/opt/x"), "high"),
        (Proc(7, ["[kthreadd]"], exe="/opt/x", comm="kthreadd"), "high"),
        (Proc(7, ["x"], exe="/opt/x", comm="kworker/u8:2"), "high"),
        (Proc(7, ["[rcu_sched]   "], exe="/opt/x"), "high"),
        (Proc(7, ["[nothing]"], exe="/opt/x"), "medium"),
        (Proc(7, ["[celeryd: celery@host:MainProcess] -active- (worker)"], exe="/usr/bin/python3"), None),
        (Proc(7, ["kworker"], exe="/opt/kworker"), None),
        (Proc(7, ["x", "[kworker/0:1]"], exe="/opt/x"), None),
    ],
)
def test_kernel_threads(process: Proc, severity: str | None) -> None:
    expected = [] if severity is None else [("kernel-thread", severity)]
    assert severities(container(SERVER, process), "kernel-thread") == expected


def test_what_a_process_calls_itself_is_only_in_the_text_which_is_masked_and_redacted() -> None:
    for argument in ("[kworker/0:1]", "[nothing]"):
        (finding,) = found(container(SERVER, Proc(7, [argument], exe="/opt/x")), "kernel-thread")
        (evidence,) = finding.evidence
        assert argument not in evidence.what
        assert evidence.text == argument


@pytest.mark.parametrize(
    ("process", "severity"),
    [
        (Proc(7, ["sshd"], exe="/tmp/x", comm="sshd"), "high"),
        (Proc(7, ["/usr/sbin/sshd", "-D"], exe="/opt/x (deleted)", comm="x"), "high"),
        (Proc(7, ["x"], exe="/opt/x", comm="other"), "info"),
        (Proc(7, ["python3", "/srv/cron"], exe="/opt/venv/bin/python3.12", comm="cron"), None),
        (Proc(7, ["/usr/sbin/sshd", "-D"], exe="/usr/sbin/sshd"), None),
        (Proc(7, ["sh", "-c", "x"], exe="/bin/busybox", comm="sh"), None),
        (Proc(7, ["/usr/bin/perl", "/srv/report.pl"], exe="/usr/bin/perl", comm="report.pl"), None),
        (Proc(7, ["nginx: worker process"], exe="/usr/sbin/nginx"), None),
        (Proc(7, ["php-fpm: pool www"], exe="/usr/sbin/php-fpm8.2"), None),
        (Proc(7, ["a-rather-long-program-name"], exe="/usr/bin/a-rather-long-program-name"), None),
        (Proc(7, None, exe="/bin/busybox", comm="sh"), "info"),
    ],
)
def test_names_of_processes(process: Proc, severity: str | None) -> None:
    expected = [] if severity is None else [("process-name", severity)]
    assert severities(container(SERVER, process), "process-name") == expected


def test_command_lines_that_were_erased() -> None:
    detector = "erased-arguments"
    assert severities(container(SERVER, Proc(7, ["   ", ""])), detector) == [(detector, "low")]
    assert severities(container(SERVER, Proc(7, ["x", ""])), detector) == []


# --- libraries ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("environment", "rootfs", "expected"),
    [
        ({"LD_PRELOAD": "/tmp/x.so"}, {}, ["high"]),
        ({"LD_PRELOAD": "/usr/lib/libjemalloc.so.2:/dev/shm/x.so"}, {}, ["high", "info"]),
        ({"LD_AUDIT": "/opt/audit.so"}, {"/opt/audit.so": b"\x7fELF"}, ["high"]),
        ({"LD_PRELOAD": "/opt/agent/liboneagent.so"}, {}, ["medium"]),
        ({"LD_PRELOAD": "libtcmalloc.so.4"}, {}, ["info"]),
        ({"LD_PRELOAD": "/tmp/libjemalloc.so.2"}, {}, ["high"]),
        ({"LD_PRELOAD": ""}, {}, []),
        ({"LD_LIBRARY_PATH": "/opt/lib"}, {}, []),
    ],
)
def test_preloaded_libraries(
    environment: dict[str, str], rootfs: dict[str, bytes], expected: list[str]
) -> None:
    checkpoint = container(SERVER, Proc(7, ["x"], env=environment), rootfs=rootfs)
    assert [severity for _, severity in severities(checkpoint, "preload")] == expected


# --- rights ---------------------------------------------------------------------------------
SPEC = {
    "process": {
        "user": {"uid": 1000},
        "noNewPrivileges": True,
        "capabilities": {"bounding": ["CAP_CHOWN", "CAP_KILL"], "effective": ["CAP_CHOWN"]},
    }
}
RIGHT = {"uid": 1000, "no_new_privs": True}
USER = Proc(1, ["server"], **RIGHT)
RIGHTS = ("more-capabilities", "other-user", "weaker-confinement")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, []),
        ({"caps": ("CAP_CHOWN",)}, []),
        ({"caps": ("CAP_CHOWN", "CAP_SYS_ADMIN")}, [("more-capabilities", "high")]),
        ({"caps": ("CAP_CHOWN", "CAP_NET_RAW")}, [("more-capabilities", "medium")]),
        ({"caps": ("CAP_SYS_ADMIN",), "userns": 2}, [("more-capabilities", "info")]),
        ({"caps": ("CAP_SYS_ADMIN",), "ppid": 0}, [("more-capabilities", "medium")]),
        ({"uid": 0}, [("other-user", "medium")]),
        ({"uid": 0, "ppid": 0}, [("other-user", "low")]),
        ({"uid": 0, "userns": 2}, []),
        ({"no_new_privs": False}, [("weaker-confinement", "medium")]),
        ({"seccomp": None}, [("weaker-confinement", "medium")]),
        ({"seccomp": None, "ppid": 0}, [("weaker-confinement", "low")]),
    ],
)
def test_rights_beyond_the_definition(fields: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    process = Proc(7, ["x"], **(RIGHT | fields))
    assert severities(container(USER, process, spec=SPEC), *RIGHTS) == expected


def test_rights_without_a_definition() -> None:
    process = Proc(7, ["x"], caps=("CAP_SYS_ADMIN",), uid=0)
    assert severities(container(USER, process), *RIGHTS) == []


def test_processes_from_outside() -> None:
    assert severities(container(SERVER, shell(ppid=0)), "foreign-process") == [("foreign-process", "info")]
    assert severities(container(SERVER, shell(ppid=1)), "foreign-process") == []


def test_debuggers() -> None:
    tracer = Proc(7, ["strace", "-p", "1"], exe="/usr/bin/strace")
    assert severities(container(SERVER, tracer), "debugger") == [("debugger", "medium")]
    assert severities(container(SERVER, Proc(7, ["x", "strace"])), "debugger") == []
