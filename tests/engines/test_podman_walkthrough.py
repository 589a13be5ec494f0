"""docs/walkthrough.md is true: its commands, in their order, with real Podman."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.engines.podman import Podman

PAGE = Path(__file__).resolve().parents[2] / "docs" / "walkthrough.md"
COMMANDS = [
    line
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    for line in re.findall(r"^\$ (.*)$", block, re.MULTILINE)
]


@pytest.fixture
def machine(podman: Callable[[str], Podman]) -> Iterator[Podman]:
    """A machine whose Podman listens where the page says."""
    lab = podman("crun")
    lab.node.sh("mkdir -p /run/podman; ln -sf ../podman-crun.sock /run/podman/podman.sock")
    yield lab
    lab.node.run("podman", "rm", "--force", "--volumes", "--time", "0", "looper", "looper-clone", check=False)


def run(lab: Podman, folder: Path, line: str) -> str:
    """What a command of the page prints: Podman on the machine, Cryoscope from outside."""
    program, *arguments = shlex.split(line)
    if program == "podman":
        return lab.node.run(program, *arguments).stdout
    assert program == "cryoscope"
    environment = os.environ | {"CRYOSCOPE_HOST": str(lab.node.pid)}
    done = subprocess.run(
        [sys.executable, "-m", "cryoscope", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


def numbers(said: str) -> list[int]:
    """What was counted, out of a log."""
    return [int(line.split()[-1]) for line in said.splitlines() if line.split()[-1].isdigit()]


@pytest.mark.xdist_group("podman-crun")
def test_looper_counts_on_in_looper_clone(machine: Podman, tmp_path: Path) -> None:
    said: dict[str, str] = {}
    for line in COMMANDS:
        if "restore" in line:
            captured = numbers(said["cryoscope log looper.tar"])[-1]
        if line.startswith("podman rm"):
            break
        said[line] = run(machine, tmp_path, line)
        time.sleep(2 if line.startswith(("podman run", "cryoscope restore")) else 0)
    assert "podman://looper" in said["cryoscope targets --engine podman"]
    clone = numbers(said["podman logs looper-clone"])
    time.sleep(1.5)
    later = numbers(machine.node.run("podman", "logs", "looper-clone").stdout)
    assert sorted(set(later)) == list(range(later[-1] + 1))
    assert later[-1] > clone[-1] > captured
    original = numbers(machine.node.run("podman", "logs", "looper").stdout)
    assert original == list(range(len(original)))
    assert original[-1] > captured
    for line in COMMANDS[-2:]:
        run(machine, tmp_path, line)
    assert "looper" not in machine.node.run("podman", "ps", "--all").stdout
