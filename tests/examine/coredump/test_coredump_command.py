"""`cryoscope core` from the outside: what it writes, what it refuses, what it leaves behind."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cryoscope.errors import CryoscopeError
from cryoscope.workflows.core import CoreFolder, WrittenCore, debugger

Run = Callable[..., Any]


def test_all_processes_and_who_is_skipped(cryoscope: Run, data: Path, tmp_path: Path) -> None:
    archive, folder = data / "podman-kitchen-sink.tar.zst", tmp_path / "new" / "cores"
    done = cryoscope("core", archive, "--all", "-o", folder, "--format", "json")
    assert (done.returncode, done.stderr) == (0, b"")
    [part] = json.loads(done.stdout)["archives"]
    assert [core["pid"] for core in part["cores"]] == [1, 2, 3, 5]
    assert [(skipped["pid"], skipped["code"]) for skipped in part["skipped"]] == [(4, "core.zombie")]
    assert sorted(os.listdir(folder)) == ["core.1", "core.2", "core.3", "core.5"]
    for core in part["cores"]:
        status = os.stat(core["path"])
        assert (status.st_size, stat.S_IMODE(status.st_mode)) == (core["size"], 0o600)
        assert status.st_blocks * 512 < core["stored"] + (1 << 20)
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700


def test_one_of_several_must_be_chosen(cryoscope: Run, data: Path, tmp_path: Path) -> None:
    done = cryoscope("core", data / "crio-counter.tar", "-o", tmp_path)
    assert done.returncode == 2
    assert b"--pid with one of 1, 9, 78" in done.stderr
    done = cryoscope("core", data / "crio-counter.tar", "-o", tmp_path, "--all", "-p", "1")
    assert done.returncode == 2
    assert os.listdir(tmp_path) == []


def test_the_only_process_needs_no_choice(cryoscope: Run, data: Path, tmp_path: Path) -> None:
    done = cryoscope("core", data / "criu-incremental.tar.zst", "-o", tmp_path)
    assert done.returncode == 0
    assert os.listdir(tmp_path) == ["core.641"]


@pytest.mark.parametrize(("pid", "code"), [("4", 1), ("99", 2)])
def test_a_process_without_a_core(cryoscope: Run, data: Path, tmp_path: Path, pid: str, code: int) -> None:
    done = cryoscope("core", data / "podman-kitchen-sink.tar.zst", "-o", tmp_path, "-p", pid)
    assert done.returncode == code
    assert b"process " + pid.encode() in done.stderr
    assert os.listdir(tmp_path) == []


def test_nothing_is_overwritten_unless_asked(cryoscope: Run, data: Path, tmp_path: Path) -> None:
    (tmp_path / "core.9").write_bytes(b"mine")
    argv = ("core", data / "crio-counter.tar", "-o", tmp_path, "--all")
    done = cryoscope(*argv)
    assert done.returncode == 2
    assert b"is there already" in done.stderr
    assert (tmp_path / "core.9").read_bytes() == b"mine"
    assert os.listdir(tmp_path) == ["core.9"]
    assert cryoscope(*argv, "--force").returncode == 0
    assert (tmp_path / "core.9").read_bytes()[:4] == b"\x7fELF"


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_links_are_neither_followed_nor_replaced(
    cryoscope: Run, data: Path, tmp_path: Path, force: list[str]
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    folder = tmp_path / "cores"
    folder.mkdir()
    (folder / "core.9").symlink_to(victim)
    done = cryoscope("core", data / "crio-counter.tar", "-o", folder, "-p", "9", *force)
    assert done.returncode == 2
    assert b"no regular file" in done.stderr
    assert victim.read_bytes() == b"mine"
    assert os.listdir(folder) == ["core.9"]


def put(folder: CoreFolder, fail: Callable[[], object]) -> None:
    """A core of pid 1, in the midst of which something happens."""
    with folder.file(1) as descriptor:
        os.write(descriptor, b"half")
        fail()


def raising(error: BaseException) -> Callable[[], object]:
    def fail() -> None:
        raise error

    return fail


def test_a_core_that_fails_leaves_nothing(tmp_path: Path) -> None:
    folder = CoreFolder(str(tmp_path), force=False)
    with pytest.raises(CryoscopeError, match="cannot be written") as raised:
        put(folder, raising(OSError(28, "No space left on device")))
    assert raised.value.code == "write.failed"
    with pytest.raises(KeyboardInterrupt):
        put(folder, raising(KeyboardInterrupt()))
    assert os.listdir(tmp_path) == []
    folder.close()


def test_a_core_that_came_up_meanwhile_stays(tmp_path: Path) -> None:
    folder = CoreFolder(str(tmp_path), force=False)
    with pytest.raises(CryoscopeError, match="there already"):
        put(folder, lambda: (tmp_path / "core.1").write_bytes(b"mine"))
    assert (tmp_path / "core.1").read_bytes() == b"mine"
    assert os.listdir(tmp_path) == ["core.1"]
    folder.close()


def test_a_folder_that_cannot_be(cryoscope: Run, data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    done = cryoscope("core", data / "crio-counter.tar", "-p", "1", "-o", tmp_path / "file")
    assert done.returncode == 1
    assert b"cannot be written" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_damaged_archive_gives_what_it_has(cryoscope: Run, data: Path, tmp_path: Path) -> None:
    done = cryoscope("core", data / "truncated-by-full-disk.tar", "--all", "-o", tmp_path, "--format", "json")
    assert done.returncode == 3
    [part] = json.loads(done.stdout)["archives"]
    assert any(lost["code"] == "truncated" for core in part["cores"] for lost in core["missing"])
    assert b"Traceback" not in done.stderr


FAKE = """#!/bin/sh
for word; do printf '%s\\n' "$word"; done
"""


def test_gdb_is_started_without_anything_of_the_archive_as_a_command(
    cryoscope: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/gdb").write_text(FAKE)
    (tmp_path / "bin/gdb").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    argv = ("core", data / "crio-counter.tar", "-p", "9", "-o", tmp_path / "cores", "--gdb", "-f", "jsonl")
    done = cryoscope(*argv)
    words = done.stdout.decode().splitlines()[1:]
    settings = ["-q", "-iex", "set auto-load off", "-iex", "set sysroot /dev/null"]
    assert words == [*settings, f"--core={tmp_path}/cores/core.9"]
    done = cryoscope("core", data / "crio-counter.tar", "--all", "-o", tmp_path / "more", "--gdb")
    assert done.returncode == 2


def test_gdb_that_is_not_there(
    cryoscope: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = cryoscope("core", data / "crio-counter.tar", "-p", "9", "-o", tmp_path / "cores", "--gdb")
    assert done.returncode == 1
    assert b"gdb is not installed" in done.stderr


def test_the_command_for_gdb_names_the_program_of_the_root_file_system() -> None:
    core = WrittenCore(
        pid=1, comm="x", path="/c/core.1", size=1, stored=1, threads=1, segments=1, notes=1, exe="/r/bin/x"
    )
    assert debugger(core, "/r")[-3:] == ["set sysroot /r", "/r/bin/x", "--core=/c/core.1"]
    assert debugger(msgspec.structs.replace(core, exe=None), None)[-2:] == [
        "set sysroot /dev/null",
        "--core=/c/core.1",
    ]
