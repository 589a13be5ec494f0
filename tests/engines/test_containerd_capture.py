"""Captures through the CRI from a real containerd."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

import containerd_kit as kit
from cryoscope.checkpoint.complete import missing_from
from cryoscope.engines import cri
from cryoscope.engines.cri.client import CallFailed
from cryoscope.engines.host import Host
from cryoscope.engines.port import CaptureOptions, EngineError, EngineHung, NoSuchContainer, Reach
from cryoscope.engines.target import parse
from cryoscope.workflows.companions import save_companions
from cryoscope.workflows.open import open_checkpoint
from lab import workloads
from lab.engines import Refused, Running, wait_for_word
from lab.engines.containerd import CHECKPOINTS, SOCKET, Containerd
from lab.engines.port import RUNC_CONF
from lab.workloads import (
    HEAP,
    KINDS_STOPPED,
    KINDS_TCP,
    LOCALS,
    REDIS,
    SHELL_COUNTER,
    TCP_CLIENT,
    TCP_SERVER,
    Workload,
)
from podman_kit import REMEMBERS, asked
from sinks import FileSink

pytestmark = pytest.mark.xdist_group("containerd")
OFTEN = (KINDS_TCP, REDIS, SHELL_COUNTER, TCP_SERVER)
"""Captured in every run; the others in the long one."""
EVERY = [
    pytest.param(each, id=each.name, marks=[] if each in OFTEN else pytest.mark.long)
    for each in workloads.ALL
    if each is not TCP_CLIENT  # it runs beside the server
]


@contextmanager
def running(lab: Containerd, workload: Workload) -> Iterator[Running]:
    """A workload while it is needed; skipped with the reason where this containerd has not what it needs."""
    try:
        started = lab.start(workload)
    except Refused as reason:
        pytest.skip(str(reason))
    beside = []
    try:
        if workload.second is not None:
            beside.append(lab.start(workload.second.given(lab.address(started))))
            wait_for_word(lab, started)
        yield started
    finally:
        for each in [started, *beside]:
            lab.remove(each)


def test_it_is_found_with_what_it_can(containerd: Containerd) -> None:
    reach = Reach(host=Host(containerd.node.pid))
    (engine,) = cri.discover(reach)
    probe = engine.probe()
    assert (probe.runtime, probe.endpoint) == ("containerd", SOCKET)
    assert probe.capture.can
    assert probe.restore.can
    assert {each.state for each in probe.checks} == {"ok"}
    assert cri.connect(parse("cri://containerd/x"), reach).socket == SOCKET
    engine.close()


def test_a_container_is_found_by_name_and_digits(containerd: Containerd) -> None:
    with running(containerd, SHELL_COUNTER) as started:
        engine = kit.engine_of(containerd)
        found = engine.find(started.id[:12])
        assert found in [engine.find(started.id), engine.find(found.target.rpartition("/")[2])]
        assert found.name == "counter"
        assert found.namespace == "lab"
        assert found.pod is not None
        assert found.pod.startswith("counter-")
        assert engine.host.pid(found.pid or 0) == started.pid
        with pytest.raises(NoSuchContainer):
            engine.find("nobody")
        engine.close()


@pytest.mark.parametrize("workload", EVERY)
def test_every_workload_is_captured_whole(workload: Workload, containerd: Containerd, tmp_path: Path) -> None:
    with running(containerd, workload) as started:
        captured = kit.capture(containerd, started, tmp_path / "a.tar")
        assert os.path.exists(f"/proc/{started.pid}")
    assert captured.collected
    assert captured.version.startswith("containerd ")
    with open_checkpoint(str(tmp_path / "a.tar")) as checkpoint:
        assert missing_from(checkpoint) == []
        assert checkpoint.container.engine == "containerd"
        assert checkpoint.container.id == started.id
        assert checkpoint.processes


def test_a_captured_container_goes_on(containerd: Containerd, tmp_path: Path) -> None:
    with running(containerd, REMEMBERS) as started:
        secret, before = asked(started.pid).split()
        kit.capture(containerd, started, tmp_path / "a.tar")
        again, after = asked(started.pid).split()
    assert (again, int(after) > int(before)) == (secret, True)


def test_it_is_stopped_if_asked(containerd: Containerd, tmp_path: Path) -> None:
    with running(containerd, HEAP) as started:
        kit.capture(containerd, started, tmp_path / "a.tar", stop=True)
        engine = kit.engine_of(containerd)
        assert engine.find(started.id).state == "exited"
        with pytest.raises(EngineError) as error:
            engine.capture(engine.find(started.id), CaptureOptions(), FileSink(tmp_path / "b.tar"))
        engine.close()
    assert error.value.code == "cri.not-running"


def test_two_captures_of_one_container_at_once(containerd: Containerd, tmp_path: Path) -> None:
    """They share a folder of containerd's: ours wait for one another, and both are whole."""
    paths = [tmp_path / f"{number}.tar" for number in range(2)]
    with running(containerd, LOCALS) as started, ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(kit.capture, containerd, started, path) for path in paths]:
            assert each.result().collected
    for path in paths:
        with open_checkpoint(str(path)) as checkpoint:
            assert missing_from(checkpoint) == []
    assert not [*containerd.node.outside(kit.OWN).glob("*scratch-*")]


def test_a_capture_beside_one_of_somebody_else(containerd: Containerd, tmp_path: Path) -> None:
    """A kubelet does not wait for us; whoever loses is told that, or tries again."""
    engine = kit.engine_of(containerd)

    def other() -> None:
        with contextlib.suppress(CallFailed):
            location = f"{CHECKPOINTS}/other.tar"
            engine.client.call("CheckpointContainer", container_id=started.id, location=location)

    with running(containerd, LOCALS) as started:
        thread = threading.Thread(target=other)
        thread.start()
        codes = []
        try:
            kit.capture(containerd, started, tmp_path / "a.tar")
        except EngineError as error:
            codes.append(error.code)
        thread.join()
        assert codes in ([], ["cri.busy"], ["cri.unreachable"])  # its shim may hang up on the second
        kit.capture(containerd, started, tmp_path / "after.tar")
    engine.close()
    with open_checkpoint(str(tmp_path / "after.tar")) as checkpoint:
        assert missing_from(checkpoint) == []


def test_a_deadline_that_passes(containerd: Containerd, tmp_path: Path) -> None:
    with running(containerd, HEAP) as started:
        with pytest.raises(EngineHung) as error:
            kit.capture(containerd, started, tmp_path / "a.tar", timeout=0.02)
        assert error.value.exit_code == 5
        assert os.path.exists(f"/proc/{started.pid}")


def test_open_connections_are_the_cause_that_the_log_on_the_node_tells(
    containerd: Containerd, tmp_path: Path
) -> None:
    """containerd itself says only that CRIU failed, and where its log is."""
    conf = containerd.node.outside(RUNC_CONF)
    options = conf.read_text()
    with running(containerd, KINDS_TCP) as started:
        conf.write_text("file-locks\n")
        try:
            with pytest.raises(EngineError) as error:
                kit.capture(containerd, started, tmp_path / "a.tar")
        finally:
            conf.write_text(options)
        assert os.path.exists(f"/proc/{started.pid}")
    assert error.value.code == "criu.tcp-established"
    assert not list(containerd.node.outside(kit.OWN).glob("*scratch-*"))


def test_a_process_that_job_control_stopped_is_told_before(containerd: Containerd) -> None:
    """In cgroup v1's freezer CRIU would wait for it without end."""
    if not Path("/sys/fs/cgroup/freezer").is_dir():
        pytest.skip("no freezer of cgroup v1 here")
    with running(containerd, KINDS_STOPPED) as started:
        engine = kit.engine_of(containerd)
        found = engine.concerns(engine.find(started.id), CaptureOptions())
        engine.close()
    assert "cri.stopped-process" in {each.code for each in found}


def test_what_the_runtime_says_and_its_log_are_saved_beside(containerd: Containerd, tmp_path: Path) -> None:
    with running(containerd, SHELL_COUNTER) as started:
        engine = kit.engine_of(containerd)
        found = engine.find(started.id)
        wanted = ["inspect", "pod", "logs", "image"]
        made, manifest = save_companions(engine, found, wanted, str(tmp_path / "a.tar"))
        engine.close()
    folder = Path(made)
    assert [each.name for each in manifest.files] == ["inspect.json", "pod.json", "container.log"]
    inspect, pod = (json.loads((folder / each).read_text()) for each in ("inspect.json", "pod.json"))
    assert inspect["status"]["id"] == started.id
    assert inspect["info"]["info"]["sandboxID"] == pod["status"]["id"]
    assert any(line.endswith("F ready") for line in (folder / "container.log").read_text().splitlines())
    (image,) = manifest.missing
    assert f"export image.tar {found.image}" in image.cure


def test_what_is_mounted_is_said_to_be_left_out(containerd: Containerd, tmp_path: Path) -> None:
    containerd.node.sh(f"mkdir -p {kit.PLACE}/kept && echo inside > {kit.PLACE}/kept/file")
    image = containerd._image("busybox")
    with kit.mounted(containerd, image, ["sleep", "1000"], {"/kept": f"{kit.PLACE}/kept"}) as started:
        engine = kit.engine_of(containerd)
        told = engine.concerns(engine.find(started.id), CaptureOptions())
        engine.close()
        captured = kit.capture(containerd, started, tmp_path / "a.tar")
    assert [each.code for each in told] == ["cri.volume"]
    assert captured.left_out == ["what is in /kept: a mount of the node"]
