"""`extract`: files that hold what the process saw, whole or not at all, nowhere but in their folder."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import UsageError
from cryoscope.examine.memory import elf
from cryoscope.examine.memory.spans import gaps, merged
from cryoscope.workflows.extract import Choice, ExtractedFile, extract
from cryoscope.workflows.open import open_checkpoint
from cryoscope.workflows.sparse import Folder
from tests.checkpoint.built_samples import PAGE, Fields, core, image, made, mm, pagemap, tar, tree, vma
from tests.conftest import Run

VDSO = "7f80f1e3d000"


def manifest(run: Run, *arguments: str | Path, code: int = 0) -> dict[str, Any]:
    done = run("extract", "-f", "json", *arguments)
    assert done.returncode == code, done.stderr
    [part] = json.loads(done.stdout)["archives"]
    found: dict[str, Any] = part
    return found


def test_every_mapping_is_what_the_process_saw(cryoscope: Run, data: Path, tmp_path: Path) -> None:
    archive = data / "podman-kitchen-sink.tar.zst"
    part = manifest(cryoscope, archive, "-p", "1", "--all", "-o", tmp_path / "out")
    assert sorted(file["file"] for file in part["files"]) == sorted(os.listdir(tmp_path / "out"))
    with open_checkpoint(str(archive)) as checkpoint:
        space = checkpoint.memory(1)
        assert space is not None
        for file in part["files"]:
            content = (tmp_path / "out" / file["file"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == file["sha256"]
            assert len(content) == file["size"]
            wanted = bytearray(len(content))
            for extent in space.extents(int(file["start"], 16), file["size"]):
                if extent.state in ("dumped", "parent", "zero"):
                    at = extent.start - int(file["start"], 16)
                    wanted[at : at + extent.length] = space.read(extent.start, extent.length)
            assert content == wanted
            assert file["known"] + sum(gap["size"] for gap in file["missing"]) == file["size"]
    mapped = {vma.start for vma in space.vmas if vma.kind != "guard"}
    named = {int(one["start"], 16) for one in part["files"] + part["skipped"]}
    assert mapped == named


def test_files_are_private_and_sparse(cryoscope: Run, data: Path, tmp_path: Path) -> None:
    archive = data / "podman-kitchen-sink.tar.zst"
    part = manifest(cryoscope, archive, "-p", "1", "--vma", "7fc96905e000", "-o", tmp_path / "out")
    [file] = part["files"]
    found = (tmp_path / "out" / file["file"]).stat()
    assert found.st_mode & 0o777 == 0o600
    assert found.st_size == 0x801000
    assert found.st_blocks * 512 < 1 << 20
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700


def test_a_vdso_is_an_elf_file(cryoscope: Run, data: Path, tmp_path: Path) -> None:
    archive = data / "crio-counter.tar"
    part = manifest(cryoscope, archive, "-p", "1", "--vma", VDSO, "-o", tmp_path)
    assert part["files"][0]["file"] == f"1-{VDSO}-7f80f1e3f000-r-xp.bin"
    content = (tmp_path / part["files"][0]["file"]).read_bytes()
    assert content.startswith(b"\x7fELF")
    assert part["files"][0]["missing"] == []


def test_a_range_across_mappings(cryoscope: Run, data: Path, tmp_path: Path) -> None:
    archive = data / "crio-counter.tar"
    part = manifest(cryoscope, archive, "-p", "1", "--address", "5f3ff0-5f6010", "-o", tmp_path)
    [file] = part["files"]
    assert (file["file"], file["size"]) == ("1-5f3ff0-5f6010.bin", 0x2020)
    assert file["missing"] == []


def test_a_memfd_by_its_path(cryoscope: Run, data: Path, tmp_path: Path) -> None:
    archive = data / "podman-kitchen-sink.tar.zst"
    part = manifest(cryoscope, archive, "-p", "1", "--file", "/memfd:memfd-lab", "-o", tmp_path)
    assert (tmp_path / part["files"][0]["file"]).read_bytes().startswith(b"MEMFD-SECRET-PAYLOAD")


# --- the folder ---------------------------------------------------------------------------------
def test_nothing_is_overwritten_unless_told(cryoscope: Run, data: Path, tmp_path: Path) -> None:
    asked = ("extract", data / "crio-counter.tar", "-p", "1", "--vma", VDSO, "-o", tmp_path)
    assert cryoscope(*asked).returncode == 0
    [name] = os.listdir(tmp_path)
    (tmp_path / name).write_bytes(b"mine")
    done = cryoscope(*asked)
    assert done.returncode == 2
    assert (tmp_path / name).read_bytes() == b"mine"
    assert cryoscope(*asked, "--force").returncode == 0
    assert (tmp_path / name).read_bytes().startswith(b"\x7fELF")
    assert os.listdir(tmp_path) == [name]


def test_links_are_refused(cryoscope: Run, data: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f"1-{VDSO}-7f80f1e3f000-r-xp.bin").symlink_to(victim)
    asked = ("extract", data / "crio-counter.tar", "-p", "1", "--vma", VDSO, "--force", "-o")
    assert cryoscope(*asked, tmp_path / "out").returncode == 2
    (tmp_path / "link").symlink_to(tmp_path / "out")
    assert cryoscope(*asked, tmp_path / "link").returncode == 2
    assert victim.read_bytes() == b"precious"


def test_a_failure_leaves_no_half_file(tmp_path: Path) -> None:
    with (
        Folder(str(tmp_path), force=False) as folder,
        suppress(KeyboardInterrupt),
        folder.writing("a.bin") as file,
    ):
        file.resize(100)
        file.write(0, b"half")
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="signals")
def test_control_c(data: Path, tmp_path: Path) -> None:
    """Exit code 5, and no file that is not whole."""
    script = (
        "import os, signal, sys\n"
        "from cryoscope.workflows import sparse\n"
        "sparse.SparseFile.digest = lambda *_: os.kill(os.getpid(), signal.SIGINT) or 'x'\n"
        "sys.argv = ['cryoscope', *sys.argv[1:]]\n"
        "from cryoscope.cli import main\n"
        "main()\n"
    )
    archive = str(data / "crio-counter.tar")
    asked = ["extract", archive, "-p", "1", "--all", "-o", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-c", script, *asked], capture_output=True, timeout=60, check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert done.returncode == 5, done.stderr
    assert os.listdir(tmp_path / "out") == []


# --- mapped files -------------------------------------------------------------------------------
CODE, DATA = 0x400000, 0x403000
ORIGINAL = b"".join(letter * PAGE for letter in (b"A", b"B", b"C", b"D")) + b"the end"


def mapped(dumped: dict[int, bytes], diff: bytes | None = ORIGINAL) -> Checkpoint:
    """A process that has mapped /bin/tool: three pages of code, two of data; some pages are dumped."""
    private = {"flags": 2, "shmid": 1, "prot": 5, "status": 0x41}
    vmas: list[Fields] = [
        vma(CODE, CODE + 3 * PAGE, **private),
        vma(DATA, DATA + 2 * PAGE, **private | {"prot": 3, "pgoff": 3 * PAGE}),
    ]
    reg = {"id": 1, "flags": 0, "pos": 0, "fown": {"uid": 0, "euid": 0, "signum": 0, "pid_type": 0, "pid": 0}}
    files = {
        "pstree.img": tree((1, 0)),
        "core-1.img": core(),
        "mm-1.img": mm(vmas),
        "files.img": image("FILES", {"type": 1, "id": 1, "reg": reg | {"name": b"/bin/tool"}}),
        "pagemap-1.img": pagemap(*((at, 1, 4) for at in sorted(dumped))),
        "pages-1.img": b"".join(dumped[at] for at in sorted(dumped)),
    }
    return made(files if diff is None else files | {"rootfs-diff.tar": tar({"bin/tool": diff})})


def taken(checkpoint: Checkpoint, folder: Path) -> tuple[bytes, ExtractedFile]:
    with Folder(str(folder), force=False) as opened:
        answer = extract("made.tar", checkpoint, 1, Choice(path="/bin/tool"), opened)
    [file] = answer.document.archives[0].files
    return (folder / file.file).read_bytes(), file


def test_missing_pages_come_from_the_changed_file(tmp_path: Path) -> None:
    content, file = taken(mapped({DATA: b"x" * PAGE}), tmp_path)
    assert content == ORIGINAL[: 3 * PAGE] + b"x" * PAGE + b"the end"
    assert (file.source, file.differs, file.filled, file.missing) == (
        "rootfs-diff.tar", 1, len(ORIGINAL) - PAGE, []
    )  # fmt: skip


def test_another_file_of_the_name_gives_nothing(tmp_path: Path) -> None:
    content, file = taken(mapped({CODE + PAGE: b"?" * PAGE}), tmp_path)
    assert content == bytes(PAGE) + b"?" * PAGE + bytes(2 * PAGE + 7)
    assert (file.source, file.filled) == (None, 0)
    assert [(gap.offset, gap.size, gap.state) for gap in file.missing] == [
        (0, PAGE, "file"),
        (2 * PAGE, PAGE, "file"),
        (3 * PAGE, PAGE + 7, "file"),
    ]
    assert "another file" in file.notes[-1]


def test_without_the_file_its_pages_are_holes(tmp_path: Path) -> None:
    content, file = taken(mapped({DATA: b"x" * PAGE}, None), tmp_path)
    assert content == bytes(3 * PAGE) + b"x" * PAGE + bytes(PAGE)
    assert [(gap.offset, gap.size, gap.address) for gap in file.missing] == [
        (0, 3 * PAGE, CODE),
        (4 * PAGE, PAGE, DATA + PAGE),
    ]


def test_code_counts_more_than_data(tmp_path: Path) -> None:
    """The page at which both overlap in the file is the one that nobody may write."""
    private = {"flags": 2, "shmid": 1, "status": 0x41}
    checkpoint = mapped({}, None)
    assert checkpoint.process(1).pid == 1
    code, data = vma(CODE, CODE + PAGE, **private, prot=5), vma(DATA, DATA + PAGE, **private, prot=3)
    reg = {"id": 1, "flags": 0, "pos": 0, "fown": {"uid": 0, "euid": 0, "signum": 0, "pid_type": 0, "pid": 0}}
    files = {
        "pstree.img": tree((1, 0)),
        "core-1.img": core(),
        "mm-1.img": mm([code, data]),
        "files.img": image("FILES", {"type": 1, "id": 1, "reg": reg | {"name": b"/bin/tool"}}),
        "pagemap-1.img": pagemap((CODE, 1, 4), (DATA, 1, 4)),
        "pages-1.img": bytes(PAGE) + b"w" * PAGE,
    }
    content, file = taken(made(files), tmp_path)
    assert content == bytes(PAGE)
    assert file.known == PAGE


def test_a_file_that_is_not_mapped(tmp_path: Path) -> None:
    with Folder(str(tmp_path), force=False) as folder, pytest.raises(UsageError):
        extract("made.tar", mapped({}), 1, Choice(path="/etc/passwd"), folder)


def test_holes_too_large_are_not_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HASHED_HOLES", PAGE)
    assert taken(mapped({DATA: b"x" * PAGE}, None), tmp_path)[1].sha256 is None


# --- damage and usage ---------------------------------------------------------------------------
def test_an_archive_cut_short(cryoscope: Run, data: Path, tmp_path: Path) -> None:
    archive = data / "truncated-by-full-disk.tar"
    part = manifest(cryoscope, archive, "-p", "1", "--all", "-o", tmp_path, code=3)
    assert {gap["state"] for file in part["files"] for gap in file["missing"]} >= {"truncated"}


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--all", "--vma", "400000"),
        ("--address", "400000"),
        ("--vma", "0"),
        ("--file", "/nothing"),
        ("--address", "0-1000"),
    ],
)
def test_usage(cryoscope: Run, data: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    archive = data / "crio-counter.tar"
    assert cryoscope("extract", archive, "-p", "1", *arguments, "-o", tmp_path).returncode == 2
    assert os.listdir(tmp_path) == []


# --- parts --------------------------------------------------------------------------------------
def test_the_end_of_an_elf_file() -> None:
    path = Path(sys.executable).resolve()
    end = elf.file_end(path.read_bytes()[:4096])
    assert end is not None
    assert 0 < end.loaded <= path.stat().st_size
    assert end.sections <= path.stat().st_size


@given(st.binary(max_size=200))
def test_broken_headers_tell_nothing_or_something(tail: bytes) -> None:
    for kind in (b"\1", b"\2", b"\3"):
        for order in (b"\1", b"\2"):
            found = elf.file_end(b"\x7fELF" + kind + order + tail)
            assert found is None or found.loaded >= 0


SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=8)


@given(SPANS, st.integers(0, 30), st.integers(0, 40))
def test_spans(spans: list[tuple[int, int]], low: int, high: int) -> None:
    covered = merged(spans)
    numbers = {n for start, end in spans for n in range(start, end)}
    assert {n for start, end in covered for n in range(start, end)} == numbers
    assert {n for start, end in gaps(covered, low, high) for n in range(start, end)} == (
        set(range(low, high)) - numbers
    )
