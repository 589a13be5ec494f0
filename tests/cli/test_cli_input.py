"""Where an archive may come from: a pipe, a redirected file, a folder, a place under another name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

COMMAND = [sys.executable, "-m", "cryoscope"]
QUESTIONS = (["ps"], ["inspect", "--all"], ["show"], ["ls"])
ARCHIVES = ("podman-looper-crun.tar", "podman-looper-crun.tar.gz", "podman-kitchen-sink.tar.zst")


def answer(arguments: list[str], stdin: Any, cwd: Path) -> tuple[int, Any]:
    done = subprocess.run(
        [*COMMAND, *arguments, "-f", "json"],
        stdin=stdin,
        cwd=cwd,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    document = json.loads(done.stdout)
    for part in document["archives"]:
        part.pop("archive")
        if "overview" in part:
            part["overview"].pop("archive_size", None)  # nobody knows that of a pipe
    return done.returncode, document


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_pipe_and_a_redirected_file_say_what_the_file_says(name: str, data: Path) -> None:
    for question in QUESTIONS:
        expected = answer([*question, name], subprocess.DEVNULL, data)
        with (data / name).open("rb") as file:
            assert answer([*question, "-"], file, data) == expected, question
        with subprocess.Popen(["cat", data / name], stdout=subprocess.PIPE) as cat:
            assert answer([*question, "-"], cat.stdout, data) == expected, question


def test_nothing_of_standard_input_is_cached(data: Path, private_cache: Path) -> None:
    for command in ("show", "ps", "ls"):
        with (data / "podman-looper-crun.tar.gz").open("rb") as file:
            subprocess.run([*COMMAND, command, "-"], stdin=file, check=True, capture_output=True)
    assert [path for path in private_cache.rglob("*") if path.is_file()] == []


def test_an_empty_pipe_and_a_terminal(data: Path) -> None:
    done = subprocess.run([*COMMAND, "show", "-"], input=b"", capture_output=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, b"cryoscope: standard input: is empty")
    line = f"script -qec '{' '.join(COMMAND)} show -' /dev/null"
    done = subprocess.run(["sh", "-c", line], capture_output=True, check=False, timeout=30)
    assert b"standard input is a terminal" in done.stdout


def test_a_pipe_that_ends_early(data: Path) -> None:
    whole = (data / "crio-counter.tar").read_bytes()
    for length in (1, 511, 5000, len(whole) // 2):
        done = subprocess.run(
            [*COMMAND, "ps", "-"], input=whole[:length], capture_output=True, check=False, timeout=30
        )
        assert done.returncode in (1, 3), done
        assert done.stderr.startswith(b"cryoscope: ")
