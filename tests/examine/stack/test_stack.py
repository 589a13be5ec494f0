"""`cryoscope stack` on archives without their root file systems, and its parts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cryoscope import limits
from cryoscope.checkpoint.archive import BytesSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import CryoscopeError
from cryoscope.examine.stack import Options, ProcessStack, child, debugger, interpreter
from cryoscope.examine.stack.records import PythonFrame, ThreadStack
from cryoscope.examine.stack.symbols import Symbols
from cryoscope.report.stack import stacks as draw
from cryoscope.workflows.documents import encode
from cryoscope.workflows.masking import MASK, Masker
from cryoscope.workflows.open import open_checkpoint
from cryoscope.workflows.stack import Asked, StacksPart, _masked, of_checkpoint

Run = Callable[..., Any]
KITCHEN = "podman-kitchen-sink.tar.zst"


def stacks(archive: Path, *pids: int, **options: Any) -> list[ProcessStack]:
    """The stacks of an archive's processes."""
    with open_checkpoint(str(archive)) as checkpoint:
        found, _ = of_checkpoint(checkpoint, Asked(pids=pids, options=Options(**options)))
        return found


@pytest.mark.parametrize("native", [True, False])
def test_every_thread_stands_where_its_registers_say(data: Path, native: bool) -> None:
    with open_checkpoint(str(data / KITCHEN)) as checkpoint:
        found, damaged = of_checkpoint(checkpoint, Asked(options=Options(native=native)))
        assert damaged == []
        for process, stack in zip(checkpoint.processes, found, strict=True):
            assert [thread.tid for thread in stack.threads] == [thread.tid for thread in process.threads]
            for thread, told in zip(process.threads, stack.threads, strict=True):
                assert told.frames[0].address == thread.ip
                assert [frame.index for frame in told.frames] == list(range(len(told.frames)))
                _check_modules(checkpoint, stack, told)


def _check_modules(checkpoint: Checkpoint, stack: ProcessStack, told: ThreadStack) -> None:
    space = checkpoint.memory(stack.pid)
    assert space is not None
    for frame in told.frames:
        vma = space.find(frame.address)
        assert vma is not None
        assert "x" in vma.perms
        assert frame.module == vma.path
        assert frame.offset == frame.address - vma.start + vma.offset


def test_a_zombie_is_said(cryoscope: Run, data: Path) -> None:
    done = cryoscope("stack", "-p", 4, data / KITCHEN)
    assert done.returncode == 0
    assert "4 python3 (zombie)\n└── note: is a zombie" in done.stdout.decode()


def test_an_interpreter_without_its_file_is_a_note_with_the_cure(data: Path) -> None:
    pytest.importorskip("pystack")
    [stack] = stacks(data / KITCHEN, 1)
    assert any("--rootfs" in note for note in stack.notes)


def test_pystack_is_optional(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter.importlib.util, "find_spec", lambda _name: None)
    [stack] = stacks(data / KITCHEN, 1)
    assert any("cryoscope[stack]" in note for note in stack.notes)


def test_gdb_is_optional(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debugger, "path", lambda: None)
    [stack] = stacks(data / "crio-counter.tar", 1)
    assert any("gdb is not installed" in note for note in stack.notes)
    assert stack.threads[0].frames


@pytest.mark.parametrize("form", ["tree", "json", "jsonl"])
def test_nothing_is_left_behind(
    cryoscope: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = cryoscope("stack", "-f", form, data / KITCHEN, data / "crio-counter.tar")
    assert done.returncode == 0
    assert os.listdir(tmp_path) == []
    if form == "json":
        document = json.loads(done.stdout)
        assert document["schema"] == "cryoscope.stacks/1"
        assert [len(part["processes"]) for part in document["archives"]] == [5, 3]


@pytest.mark.parametrize(("arguments", "code"), [(("-p", "99"), 2), (("--rootfs", "/no/such/folder"), 2)])
def test_questions_without_sense(cryoscope: Run, data: Path, arguments: tuple[str, ...], code: int) -> None:
    done = cryoscope("stack", *arguments, data / "crio-counter.tar")
    assert done.returncode == code
    assert b"Traceback" not in done.stderr


def test_a_rootfs_of_other_files_gives_no_names(data: Path, tmp_path: Path) -> None:
    """A file of the same name that is not the mapped one is not used."""
    (tmp_path / "bin").mkdir()
    shutil.copy(sys.executable, tmp_path / "bin" / "busybox")
    with open_checkpoint(str(data / "crio-counter.tar")) as checkpoint:
        found, _ = of_checkpoint(checkpoint, Asked(rootfs=str(tmp_path)))
    for stack in found:
        assert {frame.function for thread in stack.threads for frame in thread.frames} == {None}


def test_locals_are_masked_by_their_names() -> None:
    frame = PythonFrame(0, "f", "f.py", 1, {"password": '"hunter2"', "user": '"root"'})
    stack = ProcessStack(1, "p", "alive", [ThreadStack(1, "t", "gdb", [], [frame])])
    masker = Masker()
    shown = _masked(stack, masker).threads[0].python[0]
    assert shown.locals == {"password": MASK, "user": '"root"'}
    assert masker.count == 1


def test_what_is_drawn_cannot_move_a_cursor() -> None:
    frame = PythonFrame(0, "f\x1b[2J", "\u202ef.py", 1, {"a\n": "\x07"})
    stack = ProcessStack(1, "p\x1b", "alive", [ThreadStack(1, "t\x9b", "gdb", [], [frame])], notes=["\x1b"])
    text = "\n".join(draw(StacksPart(archive="a", processes=[stack]), None))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)


# --- programs ------------------------------------------------------------------------------------
def ask(script: str, folder: Path, seconds: float = 20) -> Any:
    program = f"import os, sys, time\nout = int(os.environ['CRYOSCOPE_ANSWER'])\n{script}"
    return child.ask([sys.executable, "-c", program], str(folder), seconds=seconds)


def test_a_program_answers_without_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUGINFOD_URLS", "x")
    found = ask(
        "import json; os.write(out, json.dumps([sorted(os.environ), os.getcwd()]).encode())", tmp_path
    )
    assert found[1] == str(tmp_path)
    assert set(found[0]) <= {"CRYOSCOPE_ANSWER", "HOME", "LC_ALL", "LC_CTYPE", "PATH", "TMPDIR"}


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("time.sleep(60)", "took too long"),
        ("os.write(out, b'x'); time.sleep(60)", "took too long"),
        ("os.kill(os.getpid(), 11)", "code -11"),
        ("os.write(out, b'{')", "no answer"),
        ("while True: os.write(out, bytes(65536))", "too much"),
        ("bytes(64 << 30)", "code 1"),
    ],
)
def test_a_program_that_fails_is_an_error(
    tmp_path: Path, script: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STACK_ANSWER", 1 << 20)
    started = time.monotonic()
    with pytest.raises(CryoscopeError, match=said):
        ask(script, tmp_path, seconds=2)
    assert time.monotonic() - started < 10


def test_what_a_program_started_ends_with_it(tmp_path: Path) -> None:
    script = "pid = os.fork()\nif not pid: os.close(out); time.sleep(60)\nos.write(out, str(pid).encode())"
    pid = ask(script, tmp_path)
    deadline = time.monotonic() + 5
    while _lives(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _lives(pid)


def _lives(pid: int) -> bool:
    try:
        return " Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:2]
    except OSError:
        return False


# --- symbols -------------------------------------------------------------------------------------
def test_symbols_are_those_of_nm() -> None:
    nm = shutil.which("nm")
    library = next(Path("/usr/lib").glob("*-linux-gnu/libc.so.6"), None)
    if nm is None or library is None:
        pytest.skip("there is no nm, or no library to try it on")
    data = library.read_bytes()
    symbols = Symbols(lambda at, length: data[at : at + length])
    done = subprocess.run(
        [nm, "-D", "--defined-only", "-S", library], capture_output=True, text=True, check=True
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    known: dict[int, set[str]] = {}
    for row in rows:
        if len(row) == 4 and row[2] in "TtWwi":
            known.setdefault(int(row[0], 16), set()).add(row[3].partition("@")[0])
    assert len(known) > 1000
    for address, names in known.items():
        assert symbols.name(address) in names


def test_symbols_of_what_is_no_file() -> None:
    good = Path(sys.executable).read_bytes()[:4096]
    for data in (b"", b"\x7fELF\x02\x01" + bytes(58), b"\x7fELF\x02\x01" + b"\xff" * 200, good):
        assert Symbols(lambda at, length, data=data: data[at : at + length]).name(0x1000) is None


def test_damaged_archives_give_no_traceback(data: Path) -> None:
    from test_mutations import mutated

    for name in ("podman-looper-crun.tar", "crio-counter.tar", KITCHEN):
        original = (data / name).read_bytes()
        for seed in range(12):
            try:
                with open_archive(BytesSource(mutated(original, seed), "a.tar")) as archive:
                    options = Options(native=seed % 4 == 0, python=False)
                    found, _ = of_checkpoint(Checkpoint(archive), Asked(options=options))
                    part = StacksPart(archive="a.tar", processes=found)
                    encode(part)
                    list(draw(part, 80))
            except CryoscopeError:
                continue
