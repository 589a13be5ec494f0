"""Changed files against the image: added, changed, metadata only, the same; and how contents differ."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoscope import limits
from cryoscope.checkpoint.archive import BytesSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.rootfs import FileEntry
from cryoscope.errors import CryoscopeError, Damaged, UsageError
from cryoscope.examine.changes import Base, FolderBase, compared, content_diff
from cryoscope.examine.changes.content import unified
from cryoscope.workflows.fs import opened_base
from cryoscope.workflows.open import open_checkpoint

OLD = 1_600_000_000


def tar(*members: tuple[str | tarfile.TarInfo, bytes] | tarfile.TarInfo) -> bytes:
    """A tar of files (name or header, contents) and other members."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as made:
        for member in members:
            named, data = member if isinstance(member, tuple) else (member, b"")
            info = tarfile.TarInfo(named) if isinstance(named, str) else named
            info.size, info.mtime = len(data), info.mtime or OLD
            made.addfile(info, io.BytesIO(data))
    return out.getvalue()


def other(name: str, kind: bytes, **fields: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def blob(folder: Path, data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()
    (folder / "blobs/sha256").mkdir(parents=True, exist_ok=True)
    (folder / "blobs/sha256" / digest).write_bytes(data)
    return f"sha256:{digest}"


def layout(folder: Path, *layers: bytes) -> Path:
    """An OCI layout of these layers."""
    kind = "application/vnd.oci.image.layer.v1.tar+gzip"
    described = [{"mediaType": kind, "digest": blob(folder, gzip.compress(one)), "size": 0} for one in layers]
    manifest = blob(folder, json.dumps({"schemaVersion": 2, "layers": described}).encode())
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    index = {"manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": manifest}]}
    (folder / "index.json").write_text(json.dumps(index))
    return folder


LOWER = tar(
    other("bin", tarfile.DIRTYPE, mode=0o755),
    ("bin/tool", b"tool"),
    ("bin/gone-in-the-image", b"x"),
    ("etc/conf", b"a\nb\nc\n"),
    ("etc/same", b"same"),
    ("etc/modes", b"modes"),
    ("etc/touched", b"touched"),
    ("etc/marked", b"marked"),
    ("opaque/below", b"x"),
    ("was-a-file", b"x"),
    other("link", tarfile.SYMTYPE, linkname="there"),
)
UPPER = tar(
    ("etc/conf", b"a\nb\nc\nd\n"),
    ("bin/.wh.gone-in-the-image", b""),
    ("opaque/.wh..wh..opq", b""),
    ("opaque/new", b"x"),
)
DIFF = tar(
    other("bin", tarfile.DIRTYPE, mode=0o755, mtime=OLD + 9),
    ("bin/.wh.tool", b""),
    ("bin/gone-in-the-image", b"x"),
    ("etc/conf", b"a\nB\nc\nd\n"),
    ("etc/same", b"same"),
    (other("etc/modes", tarfile.REGTYPE, mode=0o4755, uid=7), b"modes"),
    (other("etc/touched", tarfile.REGTYPE, mtime=OLD + 9), b"touched"),
    (other("etc/marked", tarfile.REGTYPE, pax_headers={"SCHILY.xattr.user.x": "y"}), b"marked"),
    ("opaque/below", b"x"),
    ("opaque/new", b"y"),
    other("was-a-file", tarfile.DIRTYPE),
    other("link", tarfile.SYMTYPE, linkname="elsewhere"),
    ("new", b"new"),
)
EXPECTED = {
    "/bin": ("same", []),
    "/bin/tool": ("deleted", []),
    "/bin/gone-in-the-image": ("added", []),
    "/etc/conf": ("changed", ["content"]),
    "/etc/same": ("same", []),
    "/etc/modes": ("metadata", ["mode", "owner"]),
    "/etc/touched": ("metadata", ["mtime"]),
    "/etc/marked": ("metadata", ["xattrs"]),
    "/opaque/below": ("added", []),
    "/opaque/new": ("changed", ["content"]),
    "/was-a-file": ("changed", ["type"]),
    "/link": ("changed", ["link"]),
    "/new": ("added", []),
}


@pytest.fixture
def checkpoint() -> Callable[[bytes], Checkpoint]:
    def made(diff: bytes) -> Checkpoint:
        whole = tar(("inventory.img", b""), ("rootfs-diff.tar", diff))
        return Checkpoint(open_archive(BytesSource(whole, "made.tar")))

    return made


def told(checkpoint: Checkpoint, base: Path, damaged: list[Damaged]) -> dict[str, FileEntry]:
    with ExitStack() as stack:
        opened = opened_base(str(base), stack, damaged)
        found = compared(checkpoint.filesystem, checkpoint.filesystem.entries, opened, damaged)
        return {entry.path: entry for entry in found}


def save(folder: Path, name: str, data: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def docker_archive(folder: Path) -> Path:
    members = [("one/layer.tar", LOWER), ("two/layer.tar", UPPER)]
    manifest = json.dumps([{"Layers": [name for name, _ in members]}]).encode()
    return save(folder, "saved.tar", tar(*members, ("manifest.json", manifest)))


def oci_archive(folder: Path) -> Path:
    layout(folder / "layout", LOWER, UPPER)
    out = folder / "image.tar"
    with tarfile.open(out, "w") as made:
        made.add(folder / "layout", arcname=".")
    return out


FORMS = {
    "OCI layout": lambda folder: layout(folder / "layout", LOWER, UPPER),
    "OCI archive": oci_archive,
    "docker archive": docker_archive,
}


@pytest.mark.parametrize("form", FORMS)
def test_layers_are_applied_in_order_with_white_outs(
    form: str, tmp_path: Path, checkpoint: Callable[[bytes], Checkpoint]
) -> None:
    damaged: list[Damaged] = []
    found = told(checkpoint(DIFF), FORMS[form](tmp_path), damaged)
    assert {path: (entry.change, entry.differs) for path, entry in found.items()} == EXPECTED
    before = found["/bin/tool"].before
    assert before is not None
    assert (before.type, before.size) == ("file", 4)
    assert damaged == []


def test_an_unpacked_folder_and_its_tar_say_the_same(
    tmp_path: Path, checkpoint: Callable[[bytes], Checkpoint]
) -> None:
    whole = tar(
        ("etc/conf", b"1\n"),
        ("etc/same", b"s"),
        ("etc/mode", b"m"),
        other("l", tarfile.SYMTYPE, linkname="x"),
    )
    folder = tmp_path / "unpacked"
    with tarfile.open(fileobj=io.BytesIO(whole)) as packed:
        packed.extractall(folder, filter="tar")
    (folder / "loop").symlink_to(folder / "etc")
    owner = {"uid": folder.stat().st_uid, "gid": folder.stat().st_gid}
    diff = tar(
        ("etc/conf", b"2\n"),
        ("etc/same", b"s"),
        other("l", tarfile.SYMTYPE, linkname="x", **owner),
        ("loop/conf", b"n"),
    )
    by_folder = told(checkpoint(diff), folder, [])
    by_tar = told(checkpoint(diff), save(tmp_path, "root.tar", whole), [])
    changes = {"/etc/conf": "changed", "/etc/same": "same", "/l": "same", "/loop/conf": "added"}
    assert {path: entry.change for path, entry in by_tar.items()} | {"/l": "same"} == changes
    assert {path: entry.change for path, entry in by_folder.items() if path != "/etc/same"} == {
        path: change for path, change in changes.items() if path != "/etc/same"
    }
    assert set(by_folder["/etc/same"].differs) <= {"owner"}


@pytest.mark.parametrize(("make", "code"), [("missing", "archive.not-found"), ("text", "archive.unreadable")])
def test_a_base_that_is_none(make: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no image")
    with ExitStack() as stack, pytest.raises(CryoscopeError) as raised:
        opened_base(str(tmp_path / make), stack, [])
    assert raised.value.code == code


def test_a_layout_whose_layers_are_lost(tmp_path: Path) -> None:
    folder = layout(tmp_path / "layout", LOWER)
    for one in (folder / "blobs/sha256").iterdir():
        if not one.read_bytes().startswith(b"{"):
            one.unlink()
    with ExitStack() as stack, pytest.raises(CryoscopeError) as raised:
        opened_base(str(folder), stack, [])
    assert raised.value.code == "fs.base"


# --- contents -----------------------------------------------------------------------------------
def diffs(checkpoint: Checkpoint, base: Path) -> dict[str, Any]:
    with ExitStack() as stack:
        opened: Base | None = opened_base(str(base), stack, [])
        tree = checkpoint.filesystem
        found = compared(tree, tree.entries, opened, [])
        return {entry.path: content_diff(tree, entry, opened) for entry in found}


def test_what_contents_say(
    tmp_path: Path, checkpoint: Callable[[bytes], Checkpoint], monkeypatch: Any
) -> None:
    monkeypatch.setattr(limits, "DIFF_LINES", 6)
    base = tar(
        ("text", b"1\n2\n3\n"),
        ("binary", b"\0one"),
        ("gone", b"was\n"),
        ("same", b"s"),
        ("many", b"x\n" * 50),
    )
    diff = tar(
        ("text", b"1\n2\n3"), ("binary", b"\0two"), (".wh.gone", b""), ("same", b"s"), ("many", b"y\n" * 50)
    )
    found = diffs(checkpoint(diff), save(tmp_path, "root.tar", base))
    assert found["/text"].lines == ["@@ -1,3 +1,3 @@", " 1", " 2", "-3", "+3", "\\ No newline at end of file"]
    assert (found["/binary"].kind, found["/binary"].size, found["/binary"].lines) == ("binary", 4, [])
    assert found["/binary"].before_sha256 == hashlib.sha256(b"\0one").hexdigest()
    assert (found["/gone"].lines, found["/gone"].size) == (["@@ -1 +0,0 @@", "-was"], None)
    assert found["/same"].kind == "same"
    assert (len(found["/many"].lines), found["/many"].left_out) == (6, 95)


LINES = st.lists(st.sampled_from(["a", "b", "", "long line", "\x1b[2J"]), max_size=40)


@given(LINES, LINES, st.booleans(), st.booleans(), st.sampled_from([1, 1_000_000]))
@settings(max_examples=80, deadline=None)
def test_patch_makes_the_new_file_out_of_the_old(
    old: list[str], new: list[str], end: bool, other_end: bool, work: int
) -> None:
    """Against patch(1), with and without room to compare line by line."""
    if shutil.which("patch") is None:
        pytest.skip("there is no patch(1)")
    before, after = "\n".join(old) + "\n" * end, "\n".join(new) + "\n" * other_end
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(limits, "DIFF_WORK", work)
        lines = list(unified(before, after))
    assert bool(lines) == (before != after)
    if lines:
        assert patched_with(before, lines) == after


def patched_with(before: str, lines: list[str]) -> str:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "f").write_text(before)
        text = "--- f\n+++ f\n" + "".join(f"{line}\n" for line in lines)
        command = ["patch", "-s", "-d", folder, "f", "-o", "out"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done
        out = Path(folder) / "out"
        return out.read_text() if out.exists() else ""


def test_a_real_archive_against_a_folder(data: Path, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    with open_checkpoint(str(data / "containerd-counter.tar")) as checkpoint:
        found = told(checkpoint, tmp_path, [])
        assert found["/etc/passwd"].change == "changed"
        assert found["/data/written"].change == "added"
        assert diffs(checkpoint, tmp_path)["/etc/passwd"].lines[-1] == "+changed"


def test_what_a_replaced_folder_held(tmp_path: Path, checkpoint: Callable[[bytes], Checkpoint]) -> None:
    base = tar(("d/kept", b"1"), ("d/gone", b"2"), ("d/sub/gone", b"3"), ("e/other", b"4"))
    diff = tar(other("d", tarfile.DIRTYPE), ("d/.wh..wh..opq", b""), ("d/kept", b"1"))
    folder = tmp_path / "unpacked"
    with tarfile.open(fileobj=io.BytesIO(base)) as packed:
        packed.extractall(folder, filter="tar")
    for one in (save(tmp_path, "root.tar", base), folder):
        found = {path: entry.change for path, entry in told(checkpoint(diff), one, []).items()}
        gone = {path for path, change in found.items() if change == "deleted"}
        assert {"/d/gone", "/d/sub/gone"} <= gone <= {"/d/gone", "/d/sub/gone", "/d/sub"}
        assert found["/d"] == "replaced"


def test_what_nested_replaced_folders_held_is_told_once_and_bounded(
    tmp_path: Path, checkpoint: Callable[[bytes], Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    below = tar(("a/b/one", b"1"), ("a/b/two", b"2"), ("a/three", b"3"))
    diff = tar(("a/.wh..wh..opq", b""), ("a/b/.wh..wh..opq", b""), ("z/.wh..wh..opq", b""))
    base, damaged = save(tmp_path, "root.tar", below), list[Damaged]()
    with ExitStack() as stack:
        opened, tree = opened_base(str(base), stack, damaged), checkpoint(diff).filesystem
        found = list(compared(tree, tree.entries, opened, damaged))
        gone = [entry.path for entry in found if entry.change == "deleted"]
        assert (sorted(gone), damaged) == (["/a/b/one", "/a/b/two", "/a/three"], [])
        monkeypatch.setattr(limits, "FILES", 2)
        found = list(compared(tree, tree.entries, opened, damaged))
    assert len([entry for entry in found if entry.change == "deleted"]) == 2
    assert [one.code for one in damaged] == ["limit.files"]


def test_holes_of_a_base_are_bounded(
    tmp_path: Path, checkpoint: Callable[[bytes], Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HASHED_HOLES", 1_000_000)
    hole = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "hole"}
    hole["GNU.sparse.realsize"] = "3000000"
    header = other("GNUSparseFile.0/hole", tarfile.REGTYPE, pax_headers=hole)
    packed = save(tmp_path, "root.tar", tar((header, b"1\n3000000\n0\n".ljust(512, b"\0"))))
    folder = tmp_path / "unpacked"
    folder.mkdir()
    with (folder / "hole").open("wb") as file:
        file.truncate(3_000_000)
    tree = checkpoint(tar(("hole", b"x"))).filesystem
    (entry,) = tree.entries
    for base in (packed, folder):
        with ExitStack() as stack:
            told_of = content_diff(tree, entry, opened_base(str(base), stack, []))
        assert told_of.kind == "unreadable", base
        assert "mostly holes" in told_of.notes[0]


def test_a_folder_that_cannot_be_opened_is_an_error_and_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        FolderBase(str(tmp_path / "missing"))
    FolderBase.__new__(FolderBase).close()
