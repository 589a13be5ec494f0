"""Captures that are killed, hang, run out of disk or lose their engine: the container runs on."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from commanding import command, count, reaching, run, target_of
from cryoscope.checkpoint.complete import missing_from
from cryoscope.workflows.open import open_checkpoint
from lab.engines import Engine, Running
from lab.node import below
from lab.workloads import SHELL_COUNTER

EngineOf = Callable[[str], Engine]
KILLS = 20
PATIENCE = 30.0
"""Seconds in which a container goes on after its capture was killed: the engine ends its work first."""
DAEMONS = {"podman-crun": "podman", "podman-runc": "podman", "docker": "dockerd", "containerd": "containerd"}


@pytest.fixture(scope="module")
def counting(engine_name: str, engine_of: EngineOf) -> Iterator[tuple[Engine, Running]]:
    """A counter that runs."""
    engine = engine_of(engine_name)
    running = engine.start(SHELL_COUNTER)
    yield engine, running
    engine.remove(running)


def goes_on(running: Running) -> None:
    """Wait until the counter has counted on."""
    before, deadline = count(running.pid), time.monotonic() + PATIENCE
    while count(running.pid) <= before:
        assert time.monotonic() < deadline, "the container stands still"
        time.sleep(0.1)


def whole_or_incomplete(folder: Path) -> list[str]:
    """The names in a folder; every archive that is not named incomplete is whole."""
    names = sorted(each.name for each in folder.iterdir())
    for name in names:
        if not name.endswith(".incomplete"):
            with open_checkpoint(str(folder / name)) as checkpoint:
                assert not [*missing_from(checkpoint)], name
    return names


@pytest.mark.long
def test_killed_at_twenty_instants(counting: tuple[Engine, Running], tmp_path: Path) -> None:
    engine, running = counting
    asked = target_of(engine, running), *reaching(engine)
    started = time.monotonic()
    done = run("capture", *asked, "-o", tmp_path / "first.tar")
    assert done.code == 0, done.said
    whole, rolling = time.monotonic() - started, random.Random(20)
    for number in range(KILLS):
        process = subprocess.Popen(
            command("capture", *asked, "-o", tmp_path / f"{number}.tar"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(rolling.uniform(0.1, whole))
        process.kill()
        process.wait()
        goes_on(running)
        whole_or_incomplete(tmp_path)
    done = run("capture", *asked, "-o", tmp_path / "last.tar")
    assert done.code == 0, done.said


def test_a_full_disk_is_said_and_what_there_is_is_named_incomplete(
    counting: tuple[Engine, Running], tmp_path: Path
) -> None:
    engine, running = counting
    argv = command(
        "capture", target_of(engine, running), *reaching(engine), "-o", tmp_path / "a.tar", "--force"
    )
    script = f'mount -t tmpfs -o size=64k none {tmp_path} && cd / && "$@"; echo $?; ls {tmp_path}'
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", script, "full", *argv],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert "Traceback" not in done.stderr
    assert "a.tar" not in lines, done.stdout
    assert lines[-1] == "a.tar.incomplete", done.stdout + done.stderr
    assert lines[-2] == "5", done.stdout + done.stderr
    goes_on(running)


@contextmanager
def stopped(engine: Engine) -> Iterator[None]:
    """An engine whose daemon stands still."""
    name = DAEMONS[engine.name]
    ours = [
        each for each in engine.node.services if each.name == name and engine.name in " ".join(_line(each))
    ]
    services = ours or [each for each in engine.node.services if each.name == name]
    pids = [pid for service in services for pid in below(service.process.pid)]
    os.kill(pids[-1], signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:  # nsenter(1) stops with its child
            os.kill(pid, signal.SIGCONT)


def _line(service: object) -> list[str]:
    return [*map(str, service.process.args)]  # type: ignore[attr-defined]


def test_a_daemon_that_hangs_is_given_up(counting: tuple[Engine, Running], tmp_path: Path) -> None:
    engine, running = counting
    if engine.name not in DAEMONS:
        pytest.skip("there is no daemon")
    with stopped(engine):
        asked = target_of(engine, running), *reaching(engine), "--timeout", "3", "-o", tmp_path / "a.tar"
        done = run("capture", *asked)
    assert done.code in (1, 5)
    assert done.document["damaged"][0]["code"] if done.document else done.said
    assert "a.tar" not in whole_or_incomplete(tmp_path)
    goes_on(running)


@contextmanager
def slammed(path: Path) -> Iterator[None]:
    """A socket that takes connections and closes them."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def slam() -> None:
            try:
                while True:
                    listening.accept()[0].close()
            except OSError:
                return

        threading.Thread(target=slam, daemon=True).start()
        yield
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("target", ["podman://x", "docker://x", "cri://containerd/x"])
def test_a_socket_that_closes_is_an_error_with_a_cure(target: str, tmp_path: Path) -> None:
    with slammed(tmp_path / "s"):
        done = run(
            "capture", target, "--endpoint", tmp_path / "s", "-o", tmp_path / "a.tar", "--timeout", "5"
        )
    assert done.code == 1
    assert len(done.said.splitlines()) == 2, done.said


@pytest.mark.parametrize("target", ["podman://x", "docker://x", "cri://containerd/x"])
def test_no_socket_is_an_error_with_a_cure(target: str, tmp_path: Path) -> None:
    done = run("capture", target, "--endpoint", tmp_path / "none", "-o", tmp_path / "a.tar")
    assert done.code == 1
    assert len(done.said.splitlines()) == 2, done.said
