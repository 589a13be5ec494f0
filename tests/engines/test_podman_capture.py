"""Captures by the driver of Podman, from real services of crun and runc."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import podman_kit as kit
from cryoscope.checkpoint.complete import missing_from
from cryoscope.engines import connect, port, target
from cryoscope.engines.host import Host
from cryoscope.errors import Incomplete
from cryoscope.workflows.open import open_checkpoint
from lab.engines import Running
from lab.engines.podman import Podman
from lab.workloads import KINDS_LOCKED, SHELL_COUNTER, TCP_CLIENT, TCP_SERVER
from sinks import FileSink, FullSink

Lab = Callable[[str], Podman]


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


@contextlib.contextmanager
def running(lab: Podman, workload: kit.Workload) -> Iterator[Running]:
    """A workload while it is needed."""
    started = lab.start(workload)
    try:
        yield started
    finally:
        lab.remove(started)


def test_a_captured_container_goes_on_and_the_archive_opens(lab: Podman, tmp_path: Path) -> None:
    with running(lab, kit.REMEMBERS) as found:
        secret, before = kit.asked(found.pid).split()
        captured = kit.capture(lab, found, tmp_path / "a.tar")
        again, after = kit.asked(found.pid).split()
    assert (again, int(after) > int(before)) == (secret, True)
    assert captured.collected
    assert captured.left_out == []
    assert captured.statistics["pages_written"] > 1000
    with open_checkpoint(str(tmp_path / "a.tar")) as checkpoint:
        assert [process.comm for process in checkpoint.processes] == ["python3"]
        assert checkpoint.container.runtime == lab.runtime
        assert checkpoint.statistics is not None
        assert checkpoint.statistics.pages_written == captured.statistics["pages_written"]
        assert not checkpoint.damaged


@pytest.mark.xdist_group("podman-crun")
def test_the_list_says_what_can_be_captured(crun: Podman) -> None:
    with running(crun, SHELL_COUNTER) as found:
        engine = kit.driver(crun)
        row = engine.find(found.id)
        assert row.target == f"podman://{found.id}"
        assert crun.node.pid_outside(row.pid) == found.pid
        assert (row.state, row.capture.can) == ("running", True)
        assert engine.find(row.id[:12]) == row
        crun.node.run("podman", "pause", found.id)
        paused = engine.find(found.id)
        assert (paused.state, paused.capture.can) == ("paused", False)
        weights = {each.code: each.weight for each in engine.concerns(paused, kit.options())}
        assert weights["podman.paused"] == port.HARD
        crun.node.run("podman", "unpause", found.id)
    with pytest.raises(port.NoSuchContainer):
        engine.find(found.id)


@pytest.mark.xdist_group("podman-crun")
def test_a_probe_names_version_and_runtime(crun: Podman) -> None:
    probe = kit.driver(crun).probe()
    assert probe.version == crun.node.sh("podman version --format '{{.Server.Version}}'").strip()
    assert (probe.runtime, probe.capture.can, probe.restore.can) == ("crun", True, True)
    assert [check.state for check in probe.checks] == ["ok"]


@pytest.mark.xdist_group("podman-crun")
@pytest.mark.parametrize(("compression", "magic"), [("gzip", b"\x1f\x8b"), ("zstd", b"\x28\xb5\x2f\xfd")])
def test_archives_are_compressed_on_the_way(
    crun: Podman, tmp_path: Path, compression: str, magic: bytes
) -> None:
    with running(crun, SHELL_COUNTER) as found:
        kit.capture(crun, found, tmp_path / "a", compression=compression)
    assert (tmp_path / "a").read_bytes().startswith(magic)
    with open_checkpoint(str(tmp_path / "a")) as checkpoint:
        assert len(checkpoint.processes) == 2
        assert not checkpoint.damaged


@pytest.mark.xdist_group("podman-crun")
def test_a_stopped_container_whose_archive_cannot_be_written_is_not_lost(
    crun: Podman, tmp_path: Path
) -> None:
    with running(crun, SHELL_COUNTER) as found:
        engine, sink = kit.driver(crun), FullSink(tmp_path / "full.tar")
        with pytest.raises(Incomplete) as caught:
            engine.capture(engine.find(found.id), kit.options(stop=True), sink)
        assert engine.find(found.id).state == "exited"
        command = caught.value.hint.partition(": ")[2].partition(" lets")[0]
        assert command.startswith("podman container restore ")
        crun.node.run(*command.split())
        assert engine.find(found.id).state == "running"


@pytest.mark.xdist_group("podman-crun")
def test_volumes_and_root_are_left_out_if_they_are_not_wanted(crun: Podman, tmp_path: Path) -> None:
    with running(crun, SHELL_COUNTER.needing("places")) as found:
        whole = kit.capture(crun, found, tmp_path / "whole.tar")
        part = kit.capture(crun, found, tmp_path / "part.tar", ignore_volumes=True, ignore_rootfs=True)
    assert whole.left_out == []
    assert len(part.left_out) == 1
    with open_checkpoint(str(tmp_path / "whole.tar")) as checkpoint:
        assert len(checkpoint.archive.names("volumes/")) == 1
        assert "rootfs-diff.tar" in checkpoint.archive
    with open_checkpoint(str(tmp_path / "part.tar")) as checkpoint:
        assert checkpoint.archive.names("volumes/") == []
        assert "rootfs-diff.tar" not in checkpoint.archive
        assert not checkpoint.damaged


@pytest.mark.usefixtures("unconfigured")
def test_open_connections_are_refused_with_their_own_code(lab: Podman, tmp_path: Path) -> None:
    with running(lab, TCP_SERVER) as server:
        client = replace(TCP_CLIENT, argv=(*TCP_CLIENT.argv, lab.address(server)))
        with running(lab, client), pytest.raises(port.EngineError) as caught:
            kit.capture(lab, server, tmp_path / "a.tar", tcp="refuse")
        assert kit.driver(lab).find(server.id).state == "running"
    assert caught.value.code == "criu.tcp-established"
    assert caught.value.hint


@pytest.mark.usefixtures("unconfigured")
def test_file_locks_are_refused_with_their_own_code(lab: Podman, tmp_path: Path) -> None:
    with running(lab, KINDS_LOCKED) as found, pytest.raises(port.EngineError) as caught:
        kit.capture(lab, found, tmp_path / "a.tar", file_locks=False)
    assert caught.value.code == "criu.file-locks"


@pytest.mark.xdist_group("podman-crun")
def test_steps_are_refused_before_anything_is_done_where_the_kernel_cannot(crun: Podman) -> None:
    from cryoscope.engines.podman.soft_dirty import tracks_writes

    with running(crun, SHELL_COUNTER) as found:
        engine = kit.driver(crun)
        concerns = engine.concerns(engine.find(found.id), kit.options(pre_checkpoint=True))
    assert any(each.code == "podman.soft-dirty" for each in concerns) is not tracks_writes()


@pytest.mark.xdist_group("podman-crun")
def test_what_is_not_in_the_archive_is_said_before(crun: Podman) -> None:
    crun.node.run("mkdir", "-p", "/var/lib/lab/mounted")
    name = "with-a-folder-of-the-host"
    image = "localhost/busybox:lab"
    crun.node.run(
        *("podman", "run", "-d", "--name", name, "--network", "none", "--log-driver", "none"),
        *("-v", "/var/lib/lab/mounted:/mounted", image, "/bin/sleep", "1000"),
    )
    try:
        engine = kit.driver(crun)
        said = {each.code: each.what for each in engine.concerns(engine.find(name), kit.options())}
    finally:
        crun.node.run("podman", "rm", "--force", "--time", "0", name)
    assert "/mounted" in said["podman.binds"]
    assert "podman.log" in said


@contextlib.contextmanager
def service(lab: Podman, name: str, **environment: str) -> Iterator[tuple[port.Engine, int]]:
    """A service of its own that may be stopped or killed: the driver at it, and its process."""
    inside = f"/run/podman-{name}.sock"
    started = lab.node.service(
        *("podman", "--runtime", lab.runtime, "system", "service", "--time=0", f"unix://{inside}"),
        ready=lab.node.outside(inside).exists,
        environment=environment,
    )
    reach = port.Reach(host=Host(lab.node.pid), endpoint=f"unix://{inside}")
    pid = next(pid for pid in _below(started.process.pid) if _comm(pid) == "podman")
    try:
        yield connect(target.Target(scheme="podman"), reach), pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.kill(started.process.pid, signal.SIGCONT)  # nsenter(1) stops when its child does
        started.process.wait()


def _below(pid: int) -> Iterator[int]:
    from lab.node import below

    return below(pid)


def _comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


@pytest.mark.xdist_group("podman-crun")
def test_a_stopped_service_is_hung_and_not_waited_for(crun: Podman, tmp_path: Path) -> None:
    with running(crun, SHELL_COUNTER) as found, service(crun, "stopped") as (engine, pid):
        container = engine.find(found.id)
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(port.EngineHung) as caught:
            engine.capture(container, kit.options(timeout=1.0), FileSink(tmp_path / "a.tar"))
        assert (caught.value.code, caught.value.exit_code) == ("podman.hung", 5)
        assert (tmp_path / "a.tar").stat().st_size == 0
        os.kill(pid, signal.SIGCONT)


class Slow(FileSink):
    """A sink that has a service killed after its first block."""

    def __init__(self, path: Path, kill: int) -> None:
        super().__init__(path)
        self._kill = kill

    def write(self, block: bytes | memoryview) -> None:
        super().write(block)
        if self._kill:
            os.kill(self._kill, signal.SIGKILL)
            self._kill = 0


@pytest.mark.xdist_group("podman-crun")
def test_a_service_that_dies_in_the_middle_leaves_no_silent_half(crun: Podman, tmp_path: Path) -> None:
    with running(crun, kit.REMEMBERS) as found, service(crun, "killed") as (engine, pid):
        secret, _ = kit.asked(found.pid).split()
        try:
            engine.capture(engine.find(found.id), kit.options(), Slow(tmp_path / "a.tar", pid))
        except Incomplete as error:
            assert error.code in ("podman.truncated", "podman.stream-cut")  # noqa: PT017 - by what was overtaken
        else:  # it had written all of it before that
            with open_checkpoint(str(tmp_path / "a.tar")) as checkpoint:
                assert [*missing_from(checkpoint)] == []
        assert kit.asked(found.pid).split()[0] == secret
        with pytest.raises(port.EngineUnreachable) as gone:
            engine.list()
    assert gone.value.code == "podman.unreachable"


@pytest.mark.xdist_group("podman-crun")
def test_a_full_disk_of_the_service_is_named(crun: Podman, tmp_path: Path) -> None:
    small = "/tmp/small"
    crun.node.sh(f"mkdir -p {small}; mount -t tmpfs -o size=1m tmpfs {small}")
    try:
        with running(crun, kit.REMEMBERS) as found, service(crun, "full", TMPDIR=small) as (engine, _):
            with pytest.raises(port.EngineError) as caught:
                engine.capture(engine.find(found.id), kit.options(), FileSink(tmp_path / "a.tar"))
            assert engine.find(found.id).state == "running"
    finally:
        crun.node.run("umount", "-l", small)
    assert caught.value.code == "podman.disk-full"


@pytest.mark.xdist_group("podman-crun")
def test_a_process_that_is_stopped_is_told_where_a_freezer_would_wait_for_it(podman: Lab) -> None:
    lab = podman("runc")
    with running(lab, SHELL_COUNTER) as found:
        engine = kit.driver(lab)
        before = {each.code for each in engine.concerns(engine.find(found.id), kit.options())}
        os.kill(found.pid, signal.SIGSTOP)
        time.sleep(0.1)
        after = {each.code for each in engine.concerns(engine.find(found.id), kit.options())}
        os.kill(found.pid, signal.SIGCONT)
        freezer = ":freezer:" in Path(f"/proc/{found.pid}/cgroup").read_text()
    assert after - before == ({"podman.stopped-processes"} if freezer else set())


@pytest.mark.xdist_group("podman-crun")
def test_captures_of_several_containers_run_beside_each_other(crun: Podman, tmp_path: Path) -> None:
    done: dict[int, port.Captured] = {}

    def one(index: int, found: Running) -> None:
        done[index] = kit.capture(crun, found, tmp_path / f"{index}.tar")

    with contextlib.ExitStack() as stack:
        threads = [
            threading.Thread(target=one, args=(index, stack.enter_context(running(crun, SHELL_COUNTER))))
            for index in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(done) == [0, 1, 2]
    for index in done:
        with open_checkpoint(str(tmp_path / f"{index}.tar")) as checkpoint:
            assert len(checkpoint.processes) == 2
