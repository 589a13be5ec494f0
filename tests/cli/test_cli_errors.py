"""Exit codes, and how an error looks: one line of what happened, at most one of what to do."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cryoscope.cli import COMMANDS
from forked import run_all

COMMAND = [sys.executable, "-m", "cryoscope"]
ROOT = Path(__file__).resolve().parents[2]

WRONG = {
    "no such command": (["sho"], 2, "did you mean show?"),
    "no such command at all": (["xyzzy"], 2, "--help"),
    "no such option": (["show", "--revael", "a"], 2, "--help"),
    "no argument": (["ps"], 2, "ps --help"),
    "no such format": (["ps", "-f", "xml", "a"], 2, "'table'"),
    "no such pid": (["ps", "-p", "7", "crio-counter.tar"], 2, "there are: 1, 9, 78"),
    "no such file": (["ps", "crio-countre.tar"], 1, "did you mean crio-counter.tar?"),
    "no checkpoint": (["ps", "README.md"], 1, "give a checkpoint archive"),
    "no such member": (["cat", "crio-counter.tar", "specdump"], 1, "did you mean spec.dump?"),
    "no such image": (["decode", "crio-counter.tar::checkpoint/core-2.img"], 1, "did you mean"),
    "not JSON": (["encode", "README.md"], 2, "`decode`"),
    "no such folder": (["list", "nowhere"], 2, "name the folder"),
    "no such shell": (["completion", "tcsh"], 2, "'bash'"),
    "evil words": (["show", "a\x1b[31m\nb"], 1, "check the path"),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_error_is_one_line_and_a_hint(name: str, data: Path) -> None:
    arguments, code, hint = WRONG[name]
    [ran] = run_all([arguments], cwd=data)
    lines = ran.err.decode().splitlines()
    assert ran.code == code, ran
    assert ran.out == b""
    assert len(lines) <= 2, lines
    assert lines[0].startswith("cryoscope: ")
    assert all(line.startswith("  ") for line in lines[1:])
    assert hint in ran.err.decode()


def test_the_codes_are_those_in_the_document(data: Path) -> None:
    """0, 1, 2, 3 as docs/exit-codes.md says; 4 and 5 are named there as well."""
    text = (ROOT / "docs" / "exit-codes.md").read_text()
    documented = dict(re.findall(r"^\| (\d) \|[^|]*\| `cryoscope ([^`]*)`", text, re.MULTILINE))
    assert set(documented) >= {"0", "1", "2", "3", "5"}
    asked = {code: words.split() for code, words in documented.items() if code in "0123"}
    for code, ran in zip(asked, run_all(asked.values(), cwd=ROOT), strict=True):
        assert ran.code == int(code), ran


def test_no_word_at_all_shows_the_help(data: Path) -> None:
    [ran, help_] = run_all([[], ["--help"]], cwd=data)
    assert b"Commands:" in ran.out + ran.err
    assert help_.code == 0
    for name in COMMANDS:
        assert f"\n  {name}".encode() in help_.out


def test_a_bug_is_one_line_too(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cryoscope.cli.failure import report

    assert report(ZeroDivisionError("x\x1b[2J" * 100)) == 1
    monkeypatch.setenv("CRYOSCOPE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        report(ZeroDivisionError("x"))


@pytest.mark.parametrize("command", ["ls", "decode", "env"])
def test_a_reader_that_has_seen_enough(command: str, data: Path) -> None:
    """`| head -1`: quiet, and no error under `set -o pipefail`."""
    line = f"set -o pipefail; {' '.join(COMMAND)} {command} podman-kitchen-sink.tar.zst | head -c1 >/dev/null"
    done = subprocess.run(["bash", "-c", line], cwd=data, capture_output=True, timeout=30, check=False)
    assert done.stderr in (b"", b"cryoscope: 3 values masked; --reveal shows them\n"), done
    assert done.returncode == 0


def test_a_full_disk_is_an_error(data: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, "ls", "crio-counter.tar"], cwd=data, stdout=full, stderr=subprocess.PIPE, timeout=30
        )
    assert done.returncode == 1
    assert done.stderr.startswith(b"cryoscope: No space left on device")
    assert done.stderr.count(b"\n") == 1


def test_ctrl_c(data: Path, tmp_path: Path) -> None:
    """A run that waits for its input, interrupted: said in a word, exit code 5, nothing left behind."""
    reader, writer = os.pipe()
    run = subprocess.Popen(
        [*COMMAND, "ps", "-"], stdin=reader, stderr=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path
    )
    time.sleep(1.0)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=20)
    os.close(reader)
    os.close(writer)
    assert (run.returncode, out, err) == (5, b"", b"cryoscope: interrupted\n")
    assert list(tmp_path.iterdir()) == []
