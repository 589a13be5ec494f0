"""Restores by the driver of Podman: live, and in the sandbox."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

import podman_kit as kit
from cryoscope.engines import port
from cryoscope.workflows.open import open_checkpoint
from lab.cgroups import groups_of
from lab.engines import Refused, Running, wait_for_word
from lab.engines.podman import Podman
from lab.errors import LabError
from lab.workloads import ALL, REDIS, SHELL_COUNTER, TCP_CLIENT, TCP_SERVER, Workload

Lab = Callable[[str], Podman]
IMAGE = "localhost/workloads:lab"
EVERY = [each for each in ALL if each is not TCP_CLIENT]
"""The client does nothing without its server, which brings it along."""


@pytest.fixture(
    params=[pytest.param(each, marks=pytest.mark.xdist_group(f"podman-{each}")) for each in kit.RUNTIMES]
)
def lab(request: pytest.FixtureRequest, podman: Lab) -> Podman:
    """Podman with each of its runtimes."""
    return podman(request.param)


@pytest.fixture
def crun(podman: Lab) -> Podman:
    """Podman with crun alone."""
    return podman("crun")


def captured(
    lab: Podman, workload: Workload, path: Path, at: Callable[[Running], None] = lambda _: None
) -> Path:
    """The archive of a workload that is gone; `at` looks at it just before the capture."""
    started = lab.start(workload)
    try:
        at(started)
        kit.capture(lab, started, path)
    finally:
        lab.remove(started)
    return path


def inside(lab: Podman, done: port.Restored, *argv: str) -> str:
    return lab.node.run("podman", "exec", done.name, *argv).stdout


def count(lab: Podman, done: port.Restored) -> int:
    """The last number that a counting shell has written."""
    return int(inside(lab, done, "tail", "-n", "1", "/log").split()[1])


@pytest.mark.parametrize("live", [False, True])
def test_a_secret_in_memory_is_told_by_the_copy(lab: Podman, tmp_path: Path, live: bool) -> None:
    heard: list[str] = []
    archive = captured(
        lab, kit.REMEMBERS, tmp_path / "a.tar", lambda found: heard.append(kit.asked(found.pid))
    )
    secret, before = heard[0].split()
    with kit.restored(lab, archive, tmp_path, name=f"told-{lab.runtime}", live=live) as done:
        again, after = kit.asked(kit.outside(lab, done)).split()
        assert (again, int(after) >= int(before)) == (secret, True)
        later = kit.asked(kit.outside(lab, done)).split()[1]
        time.sleep(0.2)
        assert int(kit.asked(kit.outside(lab, done)).split()[1]) > int(later)


@pytest.mark.parametrize("live", [False, True])
def test_a_counting_shell_counts_on_with_its_files_and_without_those_it_deleted(
    lab: Podman, tmp_path: Path, live: bool
) -> None:
    archive = captured(lab, SHELL_COUNTER, tmp_path / "a.tar", lambda _: time.sleep(1))
    with kit.restored(lab, archive, tmp_path, name=f"counts-{lab.runtime}", live=live) as done:
        first = count(lab, done)
        assert first >= 3
        time.sleep(1)
        assert count(lab, done) > first
        assert inside(lab, done, "ls", "/newfile", "/usr/bin/busybox").split() == [
            "/newfile",
            "/usr/bin/busybox",
        ]
        assert "nc" not in inside(lab, done, "ls", "/usr/bin").split()


def test_redis_has_its_keys_in_the_sandbox(lab: Podman, tmp_path: Path) -> None:
    def remember(found: Running) -> None:
        lab.node.run("podman", "exec", found.id, "redis-cli", "set", "key", "kept-in-memory")

    archive = captured(lab, REDIS, tmp_path / "a.tar", remember)
    with kit.restored(lab, archive, tmp_path, name=f"redis-{lab.runtime}") as done:
        pid = kit.outside(lab, done)
        assert inside(lab, done, "redis-cli", "get", "key").strip() == "kept-in-memory"
        assert networks(pid) == ["lo"]


@contextlib.contextmanager
def hosted(lab: Podman, name: str) -> Iterator[Running]:
    """A workload with what a sandbox must not have: mounts of the host, network, port, health check."""
    lab.node.sh("mkdir -p /var/lib/lab/hosted; echo of-the-host > /var/lib/lab/hosted/file")
    lab.node.run(
        *(
            "podman",
            "--runtime",
            lab.runtime,
            "run",
            "-d",
            "--name",
            name,
            "--network",
            "lab",
            "--publish",
            "8080",
        ),
        *("--restart", "always", "--health-cmd", "/bin/true", "--label", "mine=1"),
        *("-v", "/var/lib/lab/hosted:/hosted", "-v", "/var/lib/lab/hosted/file:/etc/one-file", "-v", "/kept"),
        *("--tmpfs", "/scratch", IMAGE, *kit.REMEMBERS.argv),
    )
    try:
        pid = int(lab.node.run("podman", "inspect", "--format", "{{.State.Pid}}", name).stdout)
        found = Running(name, lab.node.pid_outside(pid), kit.REMEMBERS)
        wait_for_word(lab, found)
        lab.node.run("podman", "exec", name, "sh", "-c", "echo kept > /kept/file; echo held > /scratch/file")
        yield found
    finally:
        lab.node.run("podman", "rm", "--force", "--volumes", "--time", "0", name, check=False)


def networks(pid: int) -> list[str]:
    """Network interfaces that a process sees."""
    rows = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
    return [row.partition(":")[0].strip() for row in rows]


def group(pid: int, kind: str) -> Path:
    """The folder of a process's cgroup of one kind, or of cgroup v2."""
    rows = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    for _, kinds, path in rows:
        if kind in kinds.split(","):
            return Path(f"/sys/fs/cgroup/{kind}{path}")
    return Path("/sys/fs/cgroup" + rows[-1][2])


def limit(pid: int, kind: str, names: tuple[str, str]) -> str:
    """A limit of a process's cgroup, of v1 or v2."""
    folder = group(pid, kind)
    return next((folder / name).read_text().split()[0] for name in names if (folder / name).exists())


def test_nothing_of_the_host_is_in_the_sandbox(lab: Podman, tmp_path: Path) -> None:
    name = f"hosted-{lab.runtime}"
    with hosted(lab, name) as found:
        secret = kit.asked(found.pid).split()[0]
        kit.capture(lab, found, tmp_path / "a.tar")
        wanted = {"memory": 256 << 20, "processes": 64, "cpus": 0.5}
        with kit.restored(lab, tmp_path / "a.tar", tmp_path, name=f"{name}-copy", **wanted) as done:
            pid = kit.outside(lab, done)
            assert kit.asked(pid).split()[0] == secret
            assert networks(pid) == ["lo"]
            assert inside(lab, done, "cat", "/kept/file", "/scratch/file").split() == ["kept", "held"]
            assert inside(lab, done, "ls", "-A", "/hosted") == ""
            assert inside(lab, done, "cat", "/etc/one-file") == ""
            inside(lab, done, "sh", "-c", "echo changed > /hosted/file")
            refused = lab.node.run(
                "podman", "exec", done.name, "sh", "-c", "echo changed > /kept/file", check=False
            )
            assert "Read-only file system" in refused.stderr
            assert inside(lab, done, "cat", "/kept/file").strip() == "kept"
            before = int(kit.asked(pid).split()[1])
            time.sleep(0.2)
            assert int(kit.asked(pid).split()[1]) > before
            mounted = Path(f"/proc/{pid}/mountinfo").read_text()
            assert "/lab/hosted" not in mounted
            assert limit(pid, "memory", ("memory.limit_in_bytes", "memory.max")) == str(256 << 20)
            assert limit(pid, "pids", ("pids.max", "pids.max")) == "64"
            assert limit(pid, "cpu", ("cpu.cfs_quota_us", "cpu.max")) == "50000"
            shown = json.loads(lab.node.run("podman", "inspect", done.name).stdout)[0]
            assert shown["HostConfig"]["RestartPolicy"]["Name"] in ("", "no")
            assert shown["HostConfig"]["PortBindings"] in ({}, None)
            assert shown["HostConfig"]["Privileged"] is False
            assert not shown["Config"].get("Healthcheck")
            assert "mine" not in (shown["Config"]["Labels"] or {})
            assert any("loopback" in said for said in done.sandbox)
        assert lab.node.run("podman", "exec", name, "cat", "/kept/file", "/hosted/file").stdout.split() == [
            "kept",
            "of-the-host",
        ]
    assert lab.node.sh("cat /var/lib/lab/hosted/file").strip() == "of-the-host"
    volumes = lab.node.run("podman", "volume", "ls", "--quiet").stdout
    assert "cryoscope-" not in volumes


def test_a_restore_makes_no_control_groups_of_others(lab: Podman, tmp_path: Path) -> None:
    archive = captured(lab, SHELL_COUNTER, tmp_path / "a.tar")
    before = groups(lab)
    with kit.restored(lab, archive, tmp_path, name=f"grouped-{lab.runtime}") as done:
        assert count(lab, done) > 0
        others = [path for path in groups(lab) - before if done.id not in str(path)]
        assert [path for path in others if path.name not in ("libpod_parent", "conmon")] == []


def groups(lab: Podman) -> set[Path]:
    """Control groups of the node, in every hierarchy."""
    return {path for top in groups_of(lab.node.name) for path in top.rglob("*") if path.is_dir()}


@pytest.mark.xdist_group("podman-crun")
def test_ten_copies_of_one_archive_run_at_once(crun: Podman, tmp_path: Path) -> None:
    heard: list[str] = []
    needs = kit.REMEMBERS.needing("places")
    archive = captured(crun, needs, tmp_path / "a.tar", lambda found: heard.append(kit.asked(found.pid)))
    secret = heard[0].split()[0]
    engine, wanted = kit.driver(crun), [port.RestoreOptions(name=f"copy-{index}") for index in range(10)]
    with open_checkpoint(str(archive)) as checkpoint, contextlib.ExitStack() as stack:
        kit.cleaned(engine, checkpoint, wanted[0], tmp_path / "copy.tar")
        with ThreadPoolExecutor(10) as pool:
            restored = partial(engine.restore, str(tmp_path / "copy.tar"), checkpoint)
            done = list(pool.map(restored, wanted))
        for one in done:
            stack.callback(crun.node.run, *one.remove.split(), "--time", "0")
        told = [kit.asked(kit.outside(crun, one)).split()[0] for one in done]
        volumes = crun.node.run("podman", "volume", "ls", "--quiet").stdout.split()
        assert len([name for name in volumes if name.startswith("cryoscope-")]) == 10
    assert told == [secret] * 10


SERVER = """
import socket
server = socket.create_server(("", 9000))
print("ready", flush=True)
one, _ = server.accept()
number = 0
while one.recv(1):
    number += 1
    one.sendall(b"%d " % number)
"""
CLIENT = """
import socket, sys, time
server = socket.create_connection((sys.argv[1], 9000))
print("ready", flush=True)
while True:
    server.sendall(b"?")
    print("answer", server.recv(20).decode().strip(), flush=True)
    time.sleep(0.1)
"""
TALKS = replace(TCP_SERVER, name="talks", word="ready", second=None, argv=("python3", "-B", "-c", SERVER))
ASKS = replace(TCP_CLIENT, name="asks", argv=("python3", "-B", "-c", CLIENT))


def pair(lab: Podman, folder: Path) -> tuple[list[str], list[Path]]:
    """A server and its client on the bridge, that talk, captured one after the other and removed."""
    server = lab.start(TALKS)
    client = lab.start(replace(ASKS, argv=(*ASKS.argv, lab.address(server))))
    both, archives = [server, client], []
    try:
        wait_for_word(lab, replace(client, workload=replace(ASKS, word="answer 5")))
        for index, each in enumerate(both):
            archives.append(folder / f"{index}.tar")
            kit.capture(lab, each, archives[-1], stop=True)
    finally:
        for each in both:
            lab.remove(each)
    return [each.id for each in both], archives


def test_a_pair_goes_on_talking_under_its_own_names(lab: Podman, tmp_path: Path) -> None:
    names, archives = pair(lab, tmp_path)
    with contextlib.ExitStack() as stack:
        for name, archive in zip(names, archives, strict=True):
            with open_checkpoint(str(archive)) as checkpoint:
                codes = kit.concerns(lab, checkpoint, name="another", live=True, tcp="established")
                assert codes == {"podman.tcp-name": port.HARD}
            stack.enter_context(kit.restored(lab, archive, tmp_path, name=name, live=True, tcp="established"))
        numbers = [answers(lab, names[1])]
        time.sleep(2)
        numbers.append(answers(lab, names[1]))
    assert numbers[1] > numbers[0] >= 0


def answers(lab: Podman, name: str) -> int:
    """The last number that the server has given."""
    lines = lab.node.run("podman", "logs", name).stdout.split("\n")
    return max((int(line.split()[1]) for line in lines if line.startswith("answer ")), default=-1)


def test_connections_are_closed_in_a_sandbox(lab: Podman, tmp_path: Path) -> None:
    _, archives = pair(lab, tmp_path)
    with open_checkpoint(str(archives[0])) as checkpoint:
        assert kit.concerns(lab, checkpoint, tcp="established") == {"podman.tcp-sandbox": port.HARD}
        assert kit.concerns(lab, checkpoint, tcp="refuse") == {"podman.tcp-open": port.HARD}
    with kit.restored(lab, archives[1], tmp_path, name=f"alone-{lab.runtime}", tcp="close") as done:
        rows = Path(f"/proc/{kit.outside(lab, done)}/net/tcp").read_text().splitlines()[1:]
        assert [row for row in rows if row.split()[3] == "01"] == []


@pytest.mark.xdist_group("podman-crun")
def test_what_stands_against_a_restore_is_said_before(podman: Lab, tmp_path: Path) -> None:
    crun, runc = podman("crun"), podman("runc")
    archive = captured(crun, SHELL_COUNTER.needing("places"), tmp_path / "a.tar")
    with open_checkpoint(str(archive)) as checkpoint:
        assert kit.concerns(crun, checkpoint) == {}
        assert kit.concerns(runc, checkpoint) == {"podman.runtime": port.HARD}
        assert kit.concerns(crun, checkpoint, memory=1 << 16) == {"podman.memory-limit": port.HARD}
        assert kit.concerns(crun, checkpoint, processes=1) == {"podman.process-limit": port.HARD}
        assert kit.concerns(crun, checkpoint, publish=["80:80"]) == {"podman.sandbox-network": port.HARD}
        assert kit.concerns(crun, checkpoint, name="no/name") == {"podman.name": port.HARD}
        assert kit.concerns(crun, checkpoint, live=True, pod="any") == {"podman.pod": port.HARD}
        other = kit.concerns(crun, checkpoint, image="localhost/workloads:lab")
        assert other == {"podman.image-differs": port.SOFT}
        missing = kit.concerns(crun, checkpoint, image="localhost/missing:1")
        assert missing["podman.image-missing"] == port.HARD
        with kit.restored(crun, archive, tmp_path, name="there"):
            assert kit.concerns(crun, checkpoint, name="there") == {"podman.name-taken": port.HARD}


@pytest.mark.xdist_group("podman-crun")
def test_a_container_in_namespaces_of_the_host_gets_no_sandbox(crun: Podman, tmp_path: Path) -> None:
    name = "with-the-hosts-network"
    crun.node.run(
        *("podman", "run", "-d", "--name", name, "--network", "host", "--log-driver", "k8s-file"),
        *("localhost/busybox:lab", *SHELL_COUNTER.argv),
    )
    try:
        pid = int(crun.node.run("podman", "inspect", "--format", "{{.State.Pid}}", name).stdout)
        kit.capture(crun, Running(name, crun.node.pid_outside(pid), SHELL_COUNTER), tmp_path / "a.tar")
    finally:
        crun.node.run("podman", "rm", "--force", "--volumes", "--time", "0", name)
    with open_checkpoint(str(tmp_path / "a.tar")) as checkpoint:
        assert kit.concerns(crun, checkpoint) == {"podman.host-namespace": port.HARD}
        assert kit.concerns(crun, checkpoint, live=True) == {}


def test_a_restore_that_fails_says_why_and_leaves_nothing(lab: Podman, tmp_path: Path) -> None:
    archive = captured(lab, kit.REMEMBERS.needing("places"), tmp_path / "a.tar")
    name = f"fails-{lab.runtime}"
    engine, wanted = kit.driver(lab), port.RestoreOptions(name=name, image="localhost/busybox:lab")
    with open_checkpoint(str(archive)) as checkpoint:
        kit.cleaned(engine, checkpoint, wanted, tmp_path / "copy.tar")
        with pytest.raises(port.EngineError) as caught:
            engine.restore(str(tmp_path / "copy.tar"), checkpoint, wanted)
    assert caught.value.code.startswith("criu.")
    assert caught.value.code != "criu.failed"
    assert "python3" in caught.value.message
    assert not engine.there(name)
    assert "cryoscope-" not in lab.node.run("podman", "volume", "ls", "--quiet").stdout


@pytest.mark.long
@pytest.mark.parametrize("workload", EVERY, ids=lambda workload: workload.name)
def test_every_workload_comes_back_live_and_in_the_sandbox(
    lab: Podman, tmp_path: Path, workload: Workload
) -> None:
    archive = tmp_path / "a.tar"
    name = f"every-{workload.name}-{lab.runtime}"
    started = together(lab, workload)
    try:
        twice(lambda: kit.capture(lab, started[0], archive))
    finally:
        for each in started:
            lab.remove(each)
    with open_checkpoint(str(archive)) as checkpoint:
        commands = sorted(process.comm for process in checkpoint.processes if process.comm)
        if lab.runtime == "runc" and workload.name.startswith("kinds"):
            assert kit.concerns(lab, checkpoint) == {"podman.udp-loopback": port.HARD}
            return

    def comes_back(live: bool) -> None:
        with kit.restored(lab, archive, tmp_path, name=name, live=live) as done:
            pid = kit.outside(lab, done)
            assert Path(f"/proc/{pid}/comm").read_text().strip() in commands
            assert done.live is live

    for live in (False, True):
        twice(lambda live=live: comes_back(live))


def together(lab: Podman, workload: Workload) -> list[Running]:
    """A workload and the one beside it; skips what the engine refuses."""
    started: list[Running] = []
    try:
        started.append(lab.start(workload))
        if workload.second is not None:
            started.append(lab.start(workload.second.given(lab.address(started[0]))))
    except LabError as reason:
        for each in started:
            lab.remove(each)
        if isinstance(reason, Refused):
            pytest.skip(str(reason))
        raise
    return started


def twice(act: Callable[[], object]) -> None:
    """Once more where CRIU failed: on a machine with much to do it runs into time limits of its own."""
    try:
        act()
    except port.EngineError:
        act()
