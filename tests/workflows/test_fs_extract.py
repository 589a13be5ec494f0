"""Extraction is safe whatever names, types and links an archive has; and `fs` as people use it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cryoscope import limits
from cryoscope.checkpoint.archive import BytesSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import UsageError
from cryoscope.text import UNSAFE
from cryoscope.workflows.fs import Wanted, select
from cryoscope.workflows.fs_extract import FsExtractPart, OutFolder, extract_files
from cryoscope.workflows.paths import chosen

KINDS = [
    tarfile.REGTYPE,
    tarfile.DIRTYPE,
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.FIFOTYPE,
    tarfile.CHRTYPE,
]
PIECES = [
    "..",
    ".",
    "a",
    "b",
    "",
    "/",
    "etc",
    "\x1b[31m",
    "\u202e",
    "\udcff",
    "%2E",
    "~",
    "x" * 250,
    "-rf",
    "a\\b",
    "\n",
]
NAMES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("/".join)
MEMBERS = st.lists(st.tuples(NAMES, st.sampled_from(KINDS), NAMES, st.binary(max_size=40)), max_size=12)


def archive(members: list[tuple[str, bytes, str, bytes]]) -> bytes:
    """A checkpoint whose layer has these members: name, type, link and contents."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as layer:
        for name, kind, link, data in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode = kind, link, 0o6777
            info.size = len(data) if kind == tarfile.REGTYPE else 0
            layer.addfile(info, io.BytesIO(data))
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as outer:
        for name, data in (("inventory.img", b""), ("rootfs-diff.tar", out.getvalue())):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            outer.addfile(info, io.BytesIO(data))
    return whole.getvalue()


def opened(members: list[tuple[str, bytes, str, bytes]]) -> Checkpoint:
    return Checkpoint(open_archive(BytesSource(archive(members), "made.tar")))


def extracted(checkpoint: Checkpoint, folder: Path, *, force: bool = False) -> FsExtractPart:
    entries, _ = select(checkpoint, Wanted(by_engine=True), None, [])
    with OutFolder(str(folder), force=force) as out:
        part = extract_files("made.tar", checkpoint, entries, out, []).document.archives[0]
        assert isinstance(part, FsExtractPart)
        return part


@given(MEMBERS)
@example([("../../up", tarfile.REGTYPE, "", b"x"), ("/abs", tarfile.REGTYPE, "", b"y")])
@example([("a", tarfile.SYMTYPE, "/tmp", b""), ("a/b", tarfile.REGTYPE, "", b"through a link")])
@example([("a", tarfile.REGTYPE, "", b"file"), ("a/b", tarfile.REGTYPE, "", b"below a file")])
@example([("/".join(["d"] * 900), tarfile.REGTYPE, "", b"deep")])
@example([("y" * 255, tarfile.REGTYPE, "", b"long"), ("a", tarfile.LNKTYPE, "y" * 255, b"")])
@example([("%2E%2E", tarfile.REGTYPE, "", b"1"), ("..", tarfile.REGTYPE, "", b"2")])
@settings(max_examples=120, deadline=None)
def test_nothing_leaves_the_folder_whatever_the_names_are(
    members: list[tuple[str, bytes, str, bytes]],
) -> None:
    checkpoint = opened(members)
    with tempfile.TemporaryDirectory() as around:
        folder = Path(around) / "out"
        part = extracted(checkpoint, folder)
        assert os.listdir(around) == ["out"]
        written = {file.file: file for file in part.files}
        there = [path for path in folder.rglob("*") if not path.is_dir()]
        assert {str(path.relative_to(folder)) for path in there} == {*written, "manifest.json"}
        for path in folder.rglob("*"):
            status = path.lstat()
            assert stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
            assert stat.S_IMODE(status.st_mode) == (0o600 if path.is_file() else 0o700)
            assert not UNSAFE.search(str(path))
        for name, file in written.items():
            data = (folder / name).read_bytes()
            assert (hashlib.sha256(data).hexdigest(), len(data)) == (file.sha256, file.size)
        listed = [entry for entry in checkpoint.filesystem.entries if entry.type in ("file", "hardlink")]
        said = [*part.files, *part.left_out]
        assert {entry.path for entry in listed} <= {one.path for one in said}
        assert json.loads((folder / "manifest.json").read_bytes())["archives"][0]["folder"] == str(folder)


def test_a_folder_that_is_not_empty_and_links_in_it(tmp_path: Path) -> None:
    """With --force files are replaced and links not followed; one in the place of a folder is an error."""
    checkpoint = opened([("d/f", tarfile.REGTYPE, "", b"new")])
    out, outside = tmp_path / "out", tmp_path / "outside"
    (out / "rootfs/d").mkdir(parents=True)
    outside.mkdir()
    (outside / "kept").write_text("kept")
    (out / "rootfs/d/f").symlink_to(outside / "kept")
    with pytest.raises(UsageError) as raised:
        extracted(checkpoint, out)
    assert raised.value.code == "write.exists"
    extracted(checkpoint, out, force=True)
    assert (out / "rootfs/d/f").read_bytes() == b"new"
    assert (outside / "kept").read_text() == "kept"
    other = tmp_path / "other"
    other.mkdir()
    (other / "rootfs").symlink_to(outside)
    with pytest.raises(Exception, match="cannot write below"):
        extracted(checkpoint, other, force=True)
    assert os.listdir(outside) == ["kept"]


def test_a_link_for_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(UsageError):
        OutFolder(str(tmp_path / "link"), force=True)


def test_hard_links_do_not_multiply_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "EXTRACT_COPIES", 250)
    links = [(f"l{n}", tarfile.LNKTYPE, "f", b"") for n in range(5)]
    part = extracted(opened([("f", tarfile.REGTYPE, "", b"x" * 100), *links]), tmp_path / "out")
    assert len(part.files) == 3
    assert len(part.left_out) == 3
    assert all("hard links" in left.reason for left in part.left_out)


def test_a_file_that_is_cut_short_is_written_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = archive([("a", tarfile.REGTYPE, "", b"a" * 5000)])
    with open_archive(BytesSource(whole[: 512 * 6], "cut.tar")) as cut:
        part = extracted(Checkpoint(cut), tmp_path / "out")
    (file,) = part.files
    assert (file.complete, 0 < file.size < 5000) == (False, True)
    assert (tmp_path / "out" / file.file).read_bytes() == b"a" * file.size


# --- paths --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("/etc", ["/etc", "/etc/a.conf", "/etc/d/b.conf"]),
        ("etc/", ["/etc", "/etc/a.conf", "/etc/d/b.conf"]),
        ("*.conf", ["/etc/a.conf", "/etc/d/b.conf"]),
        ("/etc/*.conf", ["/etc/a.conf"]),
        ("/etc/**/*.conf", ["/etc/a.conf", "/etc/d/b.conf"]),
        ("/**/b.*", ["/etc/d/b.conf"]),
        ("[!r]oo?", ["/boot"]),
        ("ro[a-z]t", ["/root"]),
        ("/bo\\eot", ["/bo\x1bot"]),
        ("/", ["/bo\x1bot", "/boot", "/etc", "/etc/a.conf", "/etc/d/b.conf", "/root"]),
    ],
)
def test_paths_and_patterns(pattern: str, found: list[str]) -> None:
    names = ["/bo\x1bot", "/boot", "/etc", "/etc/a.conf", "/etc/d/b.conf", "/root"]
    checkpoint = opened([(name, tarfile.REGTYPE, "", b"") for name in names])
    assert [entry.path for entry in chosen(checkpoint.filesystem.entries, [pattern])] == found


def test_a_path_of_no_file_names_one_that_is_near() -> None:
    checkpoint = opened([("etc/passwd", tarfile.REGTYPE, "", b"")])
    with pytest.raises(UsageError) as raised:
        chosen(checkpoint.filesystem.entries, ["/etc/paswd"])
    assert raised.value.hint == "did you mean /etc/passwd?"


# --- the command --------------------------------------------------------------------------------
def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cryoscope", "fs", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
    )


def test_sums_are_those_of_the_extracted_files(data: Path, tmp_path: Path) -> None:
    target = str(data / "podman-kitchen-sink.tar.zst")
    assert run("extract", "--no-cache", target, "-o", str(tmp_path / "out")).returncode == 0
    sums = run("hash", "--no-cache", "-f", "sums", target).stdout
    assert sums.count("\n") > 5
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict"],
        input=sums,
        text=True,
        cwd=tmp_path / "out",
        capture_output=True,
        check=False,
    )
    assert checked.returncode == 0, checked


def test_kinds_that_need_a_base_say_so(data: Path) -> None:
    done = run("ls", "--added", "--no-cache", str(data / "crio-counter.tar"))
    assert done.returncode == 2
    assert "--base" in done.stderr


def test_cat_and_what_has_no_contents(data: Path) -> None:
    target = str(data / "crio-counter.tar")
    assert run("cat", "--no-cache", target, "/tmp/dropper").stdout == "MARKER-deleted-open-file-5678\n"
    gone = run("cat", "--no-cache", target, "/bin/wget")
    assert (gone.returncode, gone.stdout) == (2, "")
    assert "deleted" in gone.stderr


def test_secrets_in_differences_are_masked(data: Path, tmp_path: Path) -> None:
    layer = archive([("app.env", tarfile.REGTYPE, "", b"DB_PASSWORD=hunter2hunter2\n")])
    (tmp_path / "c.tar").write_bytes(layer)
    (tmp_path / "base").mkdir()
    asked = ["diff", "--no-cache", str(tmp_path / "c.tar"), "--base", str(tmp_path / "base")]
    assert "hunter2" not in run(*asked).stdout
    assert "hunter2" in run(*asked, "--reveal").stdout
