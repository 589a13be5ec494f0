"""Restores with Docker: live and in the sandbox, and that the process goes on where it was."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cryoscope.engines.docker import files
from cryoscope.engines.docker.engine import Docker as Engine
from cryoscope.engines.port import CaptureOptions, EngineError, PreflightRefused
from cryoscope.errors import CryoscopeError, Refused
from docker_under_test import (
    against,
    ask,
    capture,
    engine_of,
    in_container,
    inspect,
    loaded,
    removed,
    restore,
    run,
    visits,
)
from lab.engines.docker import DATA, Docker
from lab.workloads import HTTP_COUNTER, KINDS, REDIS, SHELL_COUNTER, Workload
from sinks import FileSink
from test_escaped import nameless

pytestmark = pytest.mark.xdist_group("docker")
LOOPBACK = ["lo"]
COUNTER = SHELL_COUNTER.argv
MIB = 1 << 20


@pytest.fixture(scope="module")
def counter(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """The archive of a counter, which was ended then, and how far it had counted."""
    path = tmp_path_factory.mktemp("counter") / "counter.tar"
    running = docker.start(SHELL_COUNTER)
    try:
        before = counted(docker, inspect(docker, running.id)["State"]["Pid"])
        capture(docker, running, path)
    finally:
        docker.remove(running)
    return path, before


@pytest.fixture(scope="module")
def server(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """The archive of a web server with a network of its own, and how many visitors it had: in memory only."""
    path = tmp_path_factory.mktemp("server") / "server.tar"
    running = docker.start(HTTP_COUNTER.needing("network"))
    try:
        pid = inspect(docker, running.id)["State"]["Pid"]
        before = [visits(docker, pid) for _ in range(3)][-1]
        capture(docker, running, path)
    finally:
        docker.remove(running)
    return path, before


def counted(docker: Docker, pid: int) -> int:
    """How far the counter has counted, by its file."""
    lines = in_container(docker, pid)("/log").read_text().split("\n")
    return int(lines[-2].split()[1])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def devices(docker: Docker, pid: int) -> list[str]:
    """The network devices of a process."""
    lines = Path(f"/proc/{docker.node.pid_outside(pid)}/net/dev").read_text().splitlines()[2:]
    return sorted(line.partition(":")[0].strip() for line in lines)


def network(docker: Docker, pid: int) -> str:
    return str(Path(f"/proc/{docker.node.pid_outside(pid)}/ns/net").readlink())


# --- going on -----------------------------------------------------------------------------------------
def test_live_it_goes_on_with_its_files(docker: Docker, counter: tuple[Path, int]) -> None:
    path, before = counter
    with removed(docker, "counts-on"):
        assert "hard" not in against(docker, path, "counts-on", live=True).values()
        done = restore(docker, path, "counts-on", live=True)
        assert done.live
        assert done.pid is not None
        at = done.pid
        assert network(docker, at) == str((docker.node.files / "proc/1/ns/net").readlink())
        until(lambda: counted(docker, at) > before)
        inside = in_container(docker, at)
        numbers = [int(line.split()[1]) for line in inside("/log").read_text().splitlines()]
        assert sorted({*numbers}) == [*range(1, max(numbers) + 1)]  # it missed none
        assert len(numbers) - len({*numbers}) <= 2  # files are read a moment after the memory
        assert inside("/newfile").exists()
        assert not inside("/usr/bin/nc").exists()
        assert inspect(docker, done.id)["Config"]["Image"] == inspect(docker, done.id)["Image"]


def test_in_the_sandbox_it_goes_on_without_a_network(docker: Docker, counter: tuple[Path, int]) -> None:
    """The container had the host's network: CRIU would give it that again, whatever docker is told."""
    path, before = counter
    with removed(docker, "boxed"):
        done = restore(docker, path, "boxed", memory=256 * MIB, processes=50, cpus=0.5)
        assert done.pid is not None
        at = done.pid
        assert devices(docker, at) == LOOPBACK
        assert network(docker, at) != str((docker.node.files / "proc/1/ns/net").readlink())
        until(lambda: counted(docker, at) > before)
        assert not in_container(docker, at)("/usr/bin/nc").exists()
        host = inspect(docker, done.id)["HostConfig"]
        assert (host["Memory"], host["PidsLimit"], host["NanoCpus"]) == (256 * MIB, 50, 500_000_000)
        assert limit(docker, at, "pids", "pids.max") in ("50", None)
        assert done.sandbox
        assert docker.node.run(
            *done.remove.replace("docker", "docker --host unix:///run/docker.sock").split()
        )
        assert "boxed" not in {each.name for each in engine_of(docker).list()}


def test_what_comes_back_outside_the_sandbox_is_ended(
    docker: Docker, counter: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the change of its images CRIU restores it into the network of the host."""
    path, _ = counter
    monkeypatch.setattr(files, "joining", lambda *_: {})
    with removed(docker, "outside"):
        with pytest.raises(Refused) as refused:
            restore(docker, path, "outside")
        assert refused.value.code == "docker.sandbox-network"
        assert not {"outside", "outside-network"} & {each.name for each in engine_of(docker).list()}


def test_what_comes_back_in_other_namespaces_of_the_host_is_ended(
    docker: Docker, counter: tuple[Path, int], tmp_path: Path
) -> None:
    path = tmp_path / "nameless.tar"
    shutil.copy(counter[0], path)
    nameless(path, ("ipc", "uts"))
    with removed(docker, "outside"):
        with pytest.raises(EngineError) as caught:
            restore(docker, path, "outside")
        assert caught.value.code == "docker.escaped"
        assert not {"outside", "outside-network"} & {each.name for each in engine_of(docker).list()}


def limit(docker: Docker, pid: int, controller: str, name: str) -> str | None:
    """A limit of a process's cgroup where it can be seen."""
    rows = Path(f"/proc/{docker.node.pid_outside(pid)}/cgroup").read_text().splitlines()
    found = next((row.split(":", 2)[2] for row in rows if row.split(":")[1] == controller), None)
    file = Path(f"/sys/fs/cgroup/{controller}{found}/{name}")
    return file.read_text().strip() if found and file.exists() else None


def test_several_copies_at_once_each_with_a_network_of_its_own(
    docker: Docker, server: tuple[Path, int]
) -> None:
    """All of them listen on the same port, and each answers with what it had in memory."""
    path, before = server
    names = [f"copy-{number}" for number in range(4)]
    with removed(docker, *names), ThreadPoolExecutor(len(names)) as pool:
        done = [*pool.map(lambda name: restore(docker, path, name), names)]
        pids = [each.pid for each in done if each.pid is not None]
        assert len({network(docker, pid) for pid in pids}) == len(names)
        assert [visits(docker, pid) for pid in pids] == [before + 1] * len(names)
        assert [visits(docker, pids[0]), visits(docker, pids[1])] == [before + 2] * 2
        assert all(devices(docker, pid) == LOOPBACK for pid in pids)


@pytest.mark.long
def test_ten_copies_at_once(docker: Docker, server: tuple[Path, int]) -> None:
    path, before = server
    names = [f"ten-{number}" for number in range(10)]
    with removed(docker, *names), ThreadPoolExecutor(len(names)) as pool:
        done = [*pool.map(lambda name: restore(docker, path, name), names)]
        assert [visits(docker, each.pid or 0) for each in done] == [before + 1] * len(names)


@pytest.mark.parametrize("workload", [KINDS, REDIS], ids=lambda workload: workload.name)
def test_other_workloads_go_on_in_the_sandbox(docker: Docker, workload: Workload, tmp_path: Path) -> None:
    path = tmp_path / "captured.tar"
    running = docker.start(workload)
    try:
        capture(docker, running, path)
        before = commands(docker, running.id)
    finally:
        docker.remove(running)
    with removed(docker, "another"):
        done = restore(docker, path, "another")
        assert commands(docker, done.id) == before


def commands(docker: Docker, id_: str) -> list[str]:
    rows = ask(docker, "GET", f"/containers/{id_}/top?ps_args=-eo%20pid,args")["Processes"]
    return sorted(row[1] for row in rows)


def captured(engine: Engine, id_: str, path: Path) -> str | None:
    """Capture a container; gives the code of what kept it from that."""
    try:
        engine.capture(engine.find(id_), CaptureOptions(), FileSink(path))
    except EngineError as refused:
        return refused.code
    return None


def test_a_container_with_a_terminal_goes_on(docker: Docker, tmp_path: Path) -> None:
    """Or the daemon is an old one that refuses it, and that is said."""
    path = tmp_path / "terminal.tar"
    with removed(docker, "terminal", "terminal-again"):
        config = {"Image": loaded(docker, "busybox"), "Entrypoint": [*COUNTER], "Tty": True}
        made = ask(docker, "POST", "/containers/create?name=terminal", config)
        ask(docker, "POST", "/containers/terminal/start")
        engine = engine_of(docker)
        if (code := captured(engine, made["Id"], path)) is not None:
            assert code == "docker.tty"
            return
        done = restore(docker, path, "terminal-again")
        assert done.pid is not None
        before = counted(docker, done.pid)
        until(lambda: counted(docker, done.pid or 0) > before)


# --- volumes and what was bound -------------------------------------------------------------------
def test_volumes_are_copies_and_nothing_of_the_host_is_there(docker: Docker, tmp_path: Path) -> None:
    node, path = docker.node, tmp_path / "mounted.tar"
    node.run(
        "sh",
        "-c",
        "mkdir -p /var/lib/lab/srv && cd /var/lib/lab && echo of-the-host > srv/file && echo one > one-file",
    )
    script = (
        "mkdir /kept/sub; echo in-volume > /kept/sub/file; chown -R 7:8 /kept/sub; echo tmp > /scratch/file; "
        "n=0; echo ready; while :; do n=$((n+1)); echo $n > /kept/count; sleep 0.2; done"
    )
    mounts = {
        "Binds": ["lab-kept:/kept", "/var/lib/lab/srv:/bound", "/var/lib/lab/one-file:/etc/one-file:ro"],
        "Tmpfs": {"/scratch": ""},
        "NetworkMode": "none",
    }
    with removed(docker, "mounted", "mounted-again"):
        running = run(docker, "busybox", ("/bin/busybox", "sh", "-c", script), "mounted", HostConfig=mounts)
        done = capture(docker, running, path)
        assert {line.partition(":")[0] for line in done.left_out[1:]} == {"/bound", "/etc/one-file"}
        again = restore(docker, path, "mounted-again")
        assert again.pid is not None
        inside = in_container(docker, again.pid)
        assert inside("/kept/sub/file").read_text() == "in-volume\n"
        assert (inside("/kept/sub/file").stat().st_uid, inside("/kept/sub/file").stat().st_gid) == (7, 8)
        assert inside("/scratch/file").read_text() == "tmp\n"
        assert [*inside("/bound").iterdir()] == []
        assert inside("/etc/one-file").read_bytes() == b""
        sources = {each["Destination"]: each for each in inspect(docker, again.id)["Mounts"]}
        assert sources["/kept"]["Name"] != "lab-kept"
        assert sources["/bound"]["Type"] == "volume"
        first, second = (
            Path(f"{inside('/kept')}/count"),
            node.outside(f"{DATA}/volumes/lab-kept/_data/count"),
        )
        assert not first.samefile(second)
        # The program goes on to write there, is refused by the kernel, and goes on all the same.
        assert again.notes == []
        rows = Path(f"/proc/{docker.node.pid_outside(again.pid)}/mountinfo").read_text().splitlines()
        [kept] = [row.split() for row in rows if row.split()[4] == "/kept"]
        assert "ro" in kept[5].split(",")
        held = first.read_text()
        lines = len(docker.node.run("docker", "logs", again.id).stderr.splitlines())
        until(lambda: len(docker.node.run("docker", "logs", again.id).stderr.splitlines()) > lines + 2)
        assert "Read-only file system" in docker.node.run("docker", "logs", again.id).stderr
        assert first.read_text() == held


# --- clones, and checkpoints of docker's own ------------------------------------------------------
def test_a_checkpoint_of_docker_itself_becomes_a_clone(docker: Docker) -> None:
    """`docker checkpoint create` keeps no settings and no files: they are taken from the container."""
    running = docker.start(SHELL_COUNTER)
    try:
        folder = docker.checkpoint(running)
        with removed(docker, "cloned"):
            done = (
                restore(docker, folder, "cloned") if folder.is_file() else restored(docker, folder, "cloned")
            )
            assert done.pid is not None
            assert in_container(docker, done.pid)("/newfile").exists()
            assert not in_container(docker, done.pid)("/usr/bin/nc").exists()
            before = counted(docker, done.pid)
            until(lambda: counted(docker, done.pid) > before)
    finally:
        docker.remove(running)
    assert against(docker, folder, "cloned")["docker.settings-missing"] == "hard"


def restored(docker: Docker, folder: Path, name: str) -> Any:
    """Restore a bare folder: as a plain tar, which is what engines get."""
    import tarfile

    path = folder.parent / f"{name}.tar"
    with tarfile.open(path, "w") as tar:
        for image in folder.iterdir():
            tar.add(image, image.name)
    return restore(docker, path, name)


# --- refusals ---------------------------------------------------------------------------------------
def test_live_a_network_of_its_own_is_refused_with_the_cure(docker: Docker, server: tuple[Path, int]) -> None:
    path, before = server
    found = against(docker, path, "live-one", live=True)
    assert found["docker.restore-network"] == "hard"
    assert "docker.restore-network" not in against(docker, path, "live-one")
    with removed(docker, "live-one", "shares"):
        with pytest.raises(EngineError) as refused:
            restore(docker, path, "live-one", live=True)
        assert refused.value.code == "docker.restore-network"
        assert "live-one" not in {each.name for each in engine_of(docker).list()}
        run(docker, "busybox", ("/bin/busybox", "sh", "-c", "echo ready; sleep 1000"), "shares")
        told = against(docker, path, "live-one", live=True, pod="shares")
        assert "docker.restore-network" not in told
        assert told["docker.pod"] == "note"
        done = restore(docker, path, "live-one", live=True, pod="shares")
        assert visits(docker, done.pid or 0) == before + 1


def test_the_image_must_be_there(docker: Docker, counter: tuple[Path, int]) -> None:
    path, _ = counter
    assert against(docker, path, "one", image="localhost/not-there:1")["docker.image-missing"] == "hard"
    loaded(docker, "workloads")
    other = against(docker, path, "one", image="localhost/workloads:lab")
    assert other["docker.image-differs"] == "soft"
    with pytest.raises(PreflightRefused):
        restore(docker, path, "one", image="localhost/not-there:1")


def test_a_name_that_is_taken(docker: Docker, counter: tuple[Path, int]) -> None:
    path, _ = counter
    with removed(docker, "taken"):
        run(docker, "busybox", ("/bin/busybox", "sh", "-c", "echo ready; sleep 1000"), "taken")
        assert against(docker, path, "taken")["docker.name-taken"] == "hard"
        with pytest.raises(EngineError) as refused:
            restore(docker, path, "taken", live=True)
        assert refused.value.code == "docker.name-taken"
        assert inspect(docker, "taken")["State"]["Running"]


def test_a_port_that_is_taken_is_told_by_crius_log(docker: Docker, tmp_path: Path) -> None:
    running = docker.start(HTTP_COUNTER)
    path = tmp_path / "listens.tar"
    try:
        capture(docker, running, path)
        with removed(docker, "listens-too"), pytest.raises(EngineError) as refused:
            restore(docker, path, "listens-too", live=True)
        assert refused.value.code == "criu.tcp-port-taken"
        assert "listens-too" not in {each.name for each in engine_of(docker).list()}
    finally:
        docker.remove(running)


def test_rights_beyond_a_sandbox_are_refused(docker: Docker, tmp_path: Path) -> None:
    path = tmp_path / "privileged.tar"
    argv = ("/bin/busybox", "sh", "-c", "echo ready; sleep 1000")
    with removed(docker, "rights"):
        host = {"CapAdd": ["SYS_ADMIN"], "PidMode": "host", "NetworkMode": "host"}
        running = run(docker, "busybox", argv, "rights", HostConfig=host)
        try:
            capture(docker, running, path)
        except CryoscopeError:
            pytest.skip("docker cannot capture it here")
        found = against(docker, path, "again")
        assert found["docker.sandbox-rights"] == "hard"
        assert found["docker.sandbox-namespace"] == "hard"


def test_what_docker_cannot_do_is_refused_before(docker: Docker, counter: tuple[Path, int]) -> None:
    path, _ = counter
    found = against(docker, path, "one", publish=["80:80"], pod="other")
    assert found["docker.publish"] == found["docker.pod"] == "hard"
    assert against(docker, path, "?")["docker.name"] == "hard"
    podman = Path(__file__).parent.parent / "data" / "podman-looper-crun.tar"
    assert against(docker, podman, "one") == {"docker.foreign": "hard"}


# --- the race, and what is left ---------------------------------------------------------------------
def test_the_race_is_run_again_until_it_is_won(
    docker: Docker, counter: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes twice: containerd has them still from the first time."""
    path, _ = counter
    monkeypatch.setattr(files.secrets, "token_hex", lambda size: "0" * 2 * size)
    with removed(docker, "first", "second"):
        restore(docker, path, "first")
        done = restore(docker, path, "second")
        assert done.pid
        assert all(re.search("lost a race", note) for note in done.notes)


def test_nothing_is_left_behind(docker: Docker, counter: tuple[Path, int]) -> None:
    """Neither with docker nor in the folder into which containerd unpacks: both would be its memory."""
    path, _ = counter
    with removed(docker, "tidy"):
        before = unpacked(docker)
        done = restore(docker, path, "tidy")
        folder = docker.node.outside(f"{DATA}/containers/{done.id}/checkpoints")
        assert [*folder.iterdir()] == []
        assert unpacked(docker) == before


def unpacked(docker: Docker) -> set[str]:
    return {each.name for each in docker.node.outside("/tmp").glob("ctrd-checkpoint*")}


def test_an_interrupted_capture_is_seen_by_the_next(docker: Docker) -> None:
    with removed(docker, "interrupted"):
        run(docker, "busybox", COUNTER, "interrupted", HostConfig={"NetworkMode": "host"})
        request = {"CheckpointID": "cryoscope-0123456789abcdef", "Exit": False}
        ask(docker, "POST", "/containers/interrupted/checkpoints", request)
        engine = engine_of(docker)
        concerns = engine.concerns(engine.find("interrupted"), CaptureOptions())
        assert "docker.left-behind" in {each.code for each in concerns}
