"""An engine that is killed in the middle of a capture: the container runs on, nothing half looks whole."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from commanding import command, count, reaching, target_of
from lab.engines import Engine
from lab.engines.containerd import Containerd
from lab.engines.docker import Docker
from lab.engines.podman import Podman
from lab.engines.registry import Registry
from lab.node import Node, below
from lab.workloads import SHELL_COUNTER
from test_capture_killed import goes_on, whole_or_incomplete

ENGINES: dict[str, tuple[Callable[[Node], Engine], str]] = {
    "podman-crun": (lambda node: Podman(node, "crun"), "podman"),
    "podman-runc": (lambda node: Podman(node, "runc"), "podman"),
    "docker": (Docker, "dockerd"),
    "containerd": (lambda node: Containerd(node, Registry(node)), "containerd"),
}
"""Not CRIU alone: killed while its code is in a process, it can take that along."""

INSTANTS = (0.35, 0.5, 0.7, 0.9)
"""Seconds after the start of the command: it has imported its libraries by the first."""


def victim(engine: Engine, name: str) -> int:
    """The daemon."""
    service = next(each for each in engine.node.services if each.name == name)
    return [*below(service.process.pid)][-1]


@pytest.mark.long
@pytest.mark.parametrize("instant", INSTANTS)
@pytest.mark.parametrize("name", ENGINES)
def test_its_death_is_said(name: str, instant: float, tmp_path: Path) -> None:
    make, daemon = ENGINES[name]
    with Node() as node:
        engine = make(node)
        running = engine.start(SHELL_COUNTER)
        before = count(running.pid)
        argv = command("capture", target_of(engine, running), *reaching(engine), "-o", tmp_path / "a.tar")
        process = subprocess.Popen([*argv, "--timeout", "20"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(instant)
        os.kill(victim(engine, daemon), signal.SIGKILL)
        _, said = process.communicate(timeout=90)
        assert b"Traceback" not in said
        assert b"internal error" not in said, said
        names = whole_or_incomplete(tmp_path)
        assert (process.returncode == 0) == (names == ["a.tar"]), (process.returncode, names, said)
        goes_on(running)
        assert count(running.pid) > before
