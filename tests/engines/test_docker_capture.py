"""Captures with Docker: every workload, its archive against what the daemon says of the container."""

from __future__ import annotations

import json
import os
import re
import tarfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cryoscope.checkpoint.complete import missing_from
from cryoscope.engines.port import Captured, CaptureOptions, Container, EngineError
from cryoscope.errors import Incomplete
from cryoscope.workflows.open import open_checkpoint
from docker_under_test import ask, capture, engine_of, inspect, removed, restore, run
from lab.engines import Refused, Running
from lab.engines.docker import DATA, ApiError, Docker
from lab.errors import LabError
from lab.workloads import ALL, SHELL_COUNTER, Workload
from sinks import FullSink
from test_fs import EMPTIED, UNCHANGED, Real, upper_of, walked
from writer import WRITER

pytestmark = pytest.mark.xdist_group("docker")
Wrote = tuple[Path, Captured, dict[bytes, Real], set[bytes], set[bytes]]
LONG = {
    "dlopened",
    "heap",
    "kinds-tcp",
    "kinds-locked",
    "kinds-stopped",
    "locals-o2",
    "locals-static",
    "registers",
}
"""Those that take longer, or are much like others."""
ALONE = [
    pytest.param(each, id=each.name, marks=[pytest.mark.long] if each.name in LONG else [])
    for each in ALL
    if each.second is None and each.name != "tcp-client"
]


@pytest.fixture
def started(docker: Docker, request: pytest.FixtureRequest) -> Iterator[Running]:
    """A workload that runs; what the daemon refuses is skipped."""
    workload: Workload = request.param
    try:
        running = docker.start(workload)
    except (Refused, LabError) as reason:
        pytest.skip(f"docker does not run {workload.name}: {reason}")
    yield running
    docker.remove(running)


def left_with_docker(docker: Docker, id_: str) -> list[str]:
    """What lies in the daemon's folder of a container's checkpoints."""
    folder = docker.node.outside(f"{DATA}/containers/{id_}/checkpoints")
    return [each.name for each in folder.iterdir()] if folder.exists() else []


@pytest.mark.parametrize("started", ALONE, indirect=True)
def test_a_capture_says_what_the_daemon_says(docker: Docker, started: Running, tmp_path: Path) -> None:
    """Name, id, image, times, settings, the changed files and the log; and nothing is missing from it."""
    path = tmp_path / "captured.tar"
    done = capture(docker, started, path)
    said = inspect(docker, started.id)
    assert said["State"]["Running"]
    assert done.container.pid == said["State"]["Pid"]
    assert left_with_docker(docker, started.id) == []
    with open_checkpoint(str(path)) as checkpoint:
        found = checkpoint.container
        assert (found.engine, found.id, f"/{found.name}") == ("docker", said["Id"], said["Name"])
        assert (found.image, found.image_id) == (said["Config"]["Image"], said["Image"])
        assert found.created is not None
        assert found.created[:19] == said["Created"][:19]
        assert found.process is not None
        assert found.process.args == [said["Path"], *said["Args"]]
        assert set(said["Config"]["Env"]) <= set(found.process.env)
        assert [*missing_from(checkpoint)] == []
        assert checkpoint.processes
        assert checkpoint.damaged == []
        listed = ask(docker, "GET", f"/containers/{started.id}/changes") or []
        diff = {each["Path"]: each["Kind"] for each in listed if not each["Path"].endswith(".sock")}
        changed = {change.path: change.change for change in checkpoint.changes}
        # CRIU touches /tmp for a moment; what is changed there is nobody's
        assert changed.keys() - {"/tmp"} == diff.keys() - {"/tmp"}
        assert {path for path, change in changed.items() if change == "deleted"} == {
            path for path, kind in diff.items() if kind == 2
        }
        assert checkpoint.log_name is not None
        line = json.loads(checkpoint.archive.read(checkpoint.log_name).splitlines()[0])
        assert {"log", "stream", "time"} <= line.keys()


@pytest.mark.parametrize("started", [SHELL_COUNTER], indirect=True)
def test_a_capture_that_stops(docker: Docker, started: Running, tmp_path: Path) -> None:
    path = tmp_path / "stopped.tar"
    capture(docker, started, path, CaptureOptions(stop=True))
    assert not inspect(docker, started.id)["State"]["Running"]
    with removed(docker, "goes-on"), open_checkpoint(str(path)) as checkpoint:
        assert [*missing_from(checkpoint)] == []
        assert restore(docker, path, "goes-on", live=True).pid


@pytest.mark.parametrize("started", [SHELL_COUNTER], indirect=True)
def test_a_stopped_container_whose_archive_cannot_be_written_is_not_lost(
    docker: Docker, started: Running, tmp_path: Path
) -> None:
    engine = engine_of(docker)
    sink = FullSink(tmp_path / "full.tar")
    with pytest.raises(Incomplete) as caught:
        engine.capture(engine.find(started.id), CaptureOptions(stop=True), sink)
    assert not inspect(docker, started.id)["State"]["Running"]
    (name,) = left_with_docker(docker, started.id)
    assert f"--checkpoint {name}" in caught.value.hint
    with suppress(ApiError):  # its race: the images are in containerd already, by their digest
        ask(docker, "POST", f"/containers/{started.id}/start?checkpoint={name}")
    if not inspect(docker, started.id)["State"]["Running"]:
        time.sleep(1.5)
        ask(docker, "POST", f"/containers/{started.id}/start?checkpoint={name}")
    assert inspect(docker, started.id)["State"]["Running"]


@pytest.mark.parametrize("started", [SHELL_COUNTER], indirect=True)
def test_what_is_not_wanted_is_left_out(docker: Docker, started: Running, tmp_path: Path) -> None:
    path = tmp_path / "less.tar"
    done = capture(docker, started, path, CaptureOptions(ignore_rootfs=True))
    assert "changed files of the root file system: as asked" in done.left_out
    with tarfile.open(path) as tar:
        assert not {"rootfs-diff.tar", "deleted.files"} & set(tar.getnames())


# --- files, one by one ------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def written(docker: Docker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wrote]:
    """A container that does all to files: its archive, and the upper directory of its overlay."""
    running = docker.start(WRITER)
    path = tmp_path_factory.mktemp("writer") / "writer.tar"
    try:
        files, deleted, opaque = walked(upper_of(docker, running))
        yield path, capture(docker, running, path), files, deleted, opaque
    finally:
        docker.remove(running)


def test_every_changed_file_byte_for_byte(
    written: Wrote,
) -> None:
    path, done, files, deleted, opaque = written
    with open_checkpoint(str(path)) as checkpoint:
        tree = checkpoint.filesystem
        found = {
            entry.raw_path: entry for entry in tree.hashes(e for e in tree.entries if e.origin == "rootfs")
        }
    there = {name: entry for name, entry in found.items() if entry.type is not None}
    wanted = files.keys() - {b"/tmp", UNCHANGED.encode()}
    assert there.keys() - {b"/tmp"} == wanted
    for name in wanted:
        entry, real = there[name], files[name]
        kind = "file" if entry.type == "hardlink" else entry.type
        facts = (kind, entry.mode, entry.uid, entry.gid, entry.size, entry.sha256)
        assert facts == (real.type, real.mode, real.uid, real.gid, real.size, real.sha256), name
        assert (entry.mtime_ns or 0) // 10**9 == real.mtime, name
        assert (entry.link if kind == "symlink" else None) == real.link
    gone = {name for name, entry in found.items() if entry.change == "deleted"}
    assert deleted <= gone
    assert {os.path.dirname(name) for name in gone - deleted} <= opaque  # docker lists what they held
    assert there[b"/new/attributes"].xattrs["security.capability"].startswith("base64:AQAAAg")
    assert [note for note in done.notes if "it ran on" not in note] == []


def test_a_restore_has_every_changed_file(docker: Docker, written: Wrote) -> None:
    """The upper directory of the sandbox is that of the container that was captured."""
    path, _, files, deleted, opaque = written
    with removed(docker, "written-again"):
        done = restore(docker, path, "written-again")
        upper = inspect(docker, done.id)["GraphDriver"]["Data"]["UpperDir"]
        again, gone, _ = walked(docker.node.outside(upper))
        wanted = files.keys() - {b"/tmp", UNCHANGED.encode()}
        assert deleted <= gone
        assert {os.path.dirname(name) for name in gone - deleted} <= opaque  # docker lists what they held
        assert again.keys() - {b"/tmp"} == wanted
        for name in wanted - {EMPTIED}:
            mine, real = again[name], files[name]
            assert (mine.type, mine.mode, mine.uid, mine.gid, mine.sha256, mine.link) == (
                real.type,
                real.mode,
                real.uid,
                real.gid,
                real.sha256,
                real.link,
            ), name


# --- refusals ---------------------------------------------------------------------------------------
def found_for(docker: Docker, id_: str, **options: object) -> dict[str, str]:
    engine = engine_of(docker)
    concerns = engine.concerns(engine.find(id_), CaptureOptions(**options))  # type: ignore[arg-type]
    return {each.code: each.weight for each in concerns}


def test_what_docker_has_no_words_for_is_said_before(docker: Docker) -> None:
    with removed(docker, "plain-one"):
        run(docker, "busybox", ("/bin/busybox", "sh", "-c", "echo ready; sleep 1000"), "plain-one")
        assert found_for(docker, "plain-one")["docker.restore-network"] == "note"
        assert found_for(docker, "plain-one", tcp="close")["docker.option"] == "hard"
        assert found_for(docker, "plain-one", pre_checkpoint=True)["docker.option"] == "hard"
        assert "docker.option" not in found_for(docker, "plain-one", tcp="established", file_locks=True)
        ask(docker, "POST", "/containers/plain-one/stop?t=0")
        assert found_for(docker, "plain-one")["docker.not-running"] == "hard"


def test_containers_are_found_by_name_and_by_the_digits_of_alerts(docker: Docker) -> None:
    with removed(docker, "well-known"):
        running = run(docker, "busybox", ("/bin/busybox", "sh", "-c", "echo ready; sleep 1000"), "well-known")
        engine = engine_of(docker)
        for reference in ("well-known", running.id, running.id[:12]):
            found: Container = engine.find(reference)
            assert (found.id, found.name, found.target) == (running.id, "well-known", "docker://well-known")
        with pytest.raises(EngineError) as unknown:
            engine.find("not-there")
        assert unknown.value.code == "target.unknown"


def test_a_daemon_says_what_it_is(docker: Docker) -> None:
    probe = engine_of(docker).probe()
    assert probe.capture.can
    assert probe.restore.can
    assert re.match(r"\d+\.\d+", probe.version)
    assert {check.code for check in probe.checks} >= {"docker.experimental", "docker.criu", "docker.folder"}


def test_a_daemon_without_experimental_features_says_so(docker: Docker) -> None:
    """A second daemon in the node, as it is installed."""
    node, place = docker.node, "/run/plain-docker"
    node.run("mkdir", "-p", place)
    service = node.service(
        "unshare",
        "--net",
        "dockerd",
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
        "--data-root=/var/lib/plain-docker",
        f"--exec-root={place}/exec",
        f"--pidfile={place}/pid",
        f"--host=unix://{place}/docker.sock",
        ready=lambda: node.outside(f"{place}/docker.sock").exists(),
    )
    try:
        engine = engine_of(docker, f"{place}/docker.sock")
        probe = engine.probe()
        assert not probe.capture.can
        assert "experimental" in probe.capture.why
        assert "daemon.json" in probe.capture.cure
    finally:
        node.run("sh", "-c", f"kill $(cat {place}/pid)")
        service.process.wait(30)


def test_a_socket_that_nobody_answers_on(docker: Docker) -> None:
    engine = engine_of(docker, "/run/nobody.sock")
    assert not engine.probe().capture.can
    with pytest.raises(EngineError) as silent:
        engine.list()
    assert silent.value.code == "docker.unreachable"
    assert silent.value.hint


def test_what_criu_cannot_dump_is_told_by_its_log(docker: Docker, tmp_path: Path) -> None:
    """An answer of the kernel that nobody read; the container goes on, and docker keeps nothing."""
    unread = (
        "import socket, struct, time; s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)\n"
        "s.bind((0, 0))\n"
        "s.send(struct.pack('=IHHIIB3x', 20, 18, 0x301, 1, 0, 0)); print('ready', flush=True)\n"
        "time.sleep(1000)"
    )
    with removed(docker, "unread"):
        running = run(docker, "workloads", ("python3", "-B", "-c", unread), "unread")
        path = tmp_path / "none.tar"
        with pytest.raises(EngineError) as refused:
            capture(docker, running, path)
        assert refused.value.code.startswith("criu.")
        assert refused.value.code != "criu.reason-elsewhere"
        assert refused.value.hint
        assert path.read_bytes() == b""
        assert inspect(docker, running.id)["State"]["Running"]
        assert left_with_docker(docker, running.id) == []
