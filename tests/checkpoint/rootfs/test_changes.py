"""What changed in the file system: layers of every engine, white-outs, ghost files."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from built_samples import image, made, message
from conftest_types import Load
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoscope import limits
from cryoscope.checkpoint.criu.messages import encode
from cryoscope.checkpoint.rootfs import Change
from cryoscope.checkpoint.rootfs.ghosts import contents
from cryoscope.errors import LimitExceeded


def layer(*members: tuple[str, bytes, str]) -> bytes:
    """A tar of (name, type, link)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar_file:
        for name, kind, link in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.mode, member.uid, member.mtime = kind, link, 0o640, 7, 9
            tar_file.addfile(member, io.BytesIO())
    return out.getvalue()


def changes(**files: bytes) -> list[Change]:
    named = {name.replace("__", "."): data for name, data in files.items()}
    named = {name.replace("rootfs_", "rootfs-"): data for name, data in named.items()}
    return made(named).changes


FILE, DIRECTORY, SYMLINK, FIFO, DEVICE = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, b"6", b"3"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_layers_plain_and_gzipped(pack: type[bytes]) -> None:
    data = layer(
        ("a/.wh.gone", FILE, ""),
        (".wh.top", FILE, ""),
        ("b/.wh..wh..opq", FILE, ""),
        ("b/new", FILE, ""),
        ("dir", DIRECTORY, ""),
        ("link", SYMLINK, "a"),
        ("pipe", FIFO, ""),
        ("dev", DEVICE, ""),
    )
    found = {change.path: change for change in changes(rootfs_diff__tar=pack(data))}
    assert {path: change.change for path, change in found.items()} == {
        "/a/gone": "deleted",
        "/top": "deleted",
        "/b": "replaced",
        "/b/new": "written",
        "/dir": "written",
        "/link": "written",
        "/pipe": "written",
        "/dev": "written",
    }
    modes = {path: change.mode for path, change in found.items() if change.change == "written"}
    assert modes == {
        "/b/new": "-rw-r-----",
        "/dir": "drw-r-----",
        "/link": "lrw-r-----",
        "/pipe": "prw-r-----",
        "/dev": "crw-r-----",
    }
    assert (found["/link"].link, found["/b/new"].uid, found["/b/new"].mtime_ns) == ("a", 7, 9_000_000_000)


def test_deleted_files_and_layer_together() -> None:
    found = changes(rootfs_diff__tar=layer(("z", FILE, "")), deleted__files=b'["/bin/nc", "relative"]')
    assert [(change.path, change.change) for change in found] == [
        ("/bin/nc", "deleted"),
        ("/relative", "deleted"),
        ("/z", "written"),
    ]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"deleted.files": b"nonsense"}, "rootfs.deleted-files"),
        ({"deleted.files": b'{"a": 1}'}, "rootfs.deleted-files"),
        ({"deleted.files": b"[1]"}, "rootfs.deleted-files"),
        ({"deleted.files": b'["\\ud800"]'}, "rootfs.deleted-files"),
        ({"deleted.files": b"\xff"}, "rootfs.deleted-files"),
        ({"rootfs-diff.tar": b"nonsense"}, "archive.unreadable"),
        ({"rootfs-diff.tar": gzip.compress(b"nonsense" * 100)}, "archive.unreadable"),
        ({"rootfs-diff.tar": b""}, "archive.empty"),
    ],
)
def test_damage_is_named(files: dict[str, bytes], code: str) -> None:
    checkpoint = made(files)
    assert checkpoint.changes == []
    assert code in {damaged.code for damaged in checkpoint.damaged}
    assert {damaged.part for damaged in checkpoint.damaged} == set(files)


def test_a_layer_cut_short_gives_what_is_there() -> None:
    whole = layer(("a", FILE, ""), ("b", FILE, ""), ("c", FILE, ""))
    checkpoint = made({"rootfs-diff.tar": whole[:1100]})
    assert [change.path for change in checkpoint.changes] == ["/a", "/b"]
    assert all(damaged.part.startswith("rootfs-diff.tar") for damaged in checkpoint.damaged)
    assert checkpoint.damaged


@given(st.binary(max_size=3000))
@settings(max_examples=60, deadline=None)
def test_any_bytes_for_a_layer(data: bytes) -> None:
    assert isinstance(changes(rootfs_diff__tar=data), list)
    assert isinstance(changes(rootfs_diff__tar=gzip.compress(data)), list)


@pytest.mark.parametrize("name", ["podman-looper-crun/checkpoint.tar", "containerd-looper/checkpoint.tar"])
def test_the_looper_by_both_kinds_of_layer(load: Load, name: str) -> None:
    found = {change.path: change for change in load(name).changes}
    assert found["/bin/nc"].change == "deleted"
    assert found["/newfile"].type == "file"
    assert (found["/log"].size or 0) > 0


def test_every_file_of_a_real_layer(data: Path) -> None:
    """Against Python's own reader."""
    with tarfile.open(data / "crio-counter.tar") as outer:
        inner = outer.extractfile("rootfs-diff.tar")
        assert inner is not None
        with tarfile.open(fileobj=inner) as diff:
            theirs = {
                ("/" + member.name.strip("./"), member.size, member.uid) for member in diff.getmembers()
            }
        listed = outer.extractfile("deleted.files")
        assert listed is not None
        deleted = set(json.load(listed))
    from cryoscope.workflows.open import open_checkpoint

    with open_checkpoint(str(data / "crio-counter.tar")) as checkpoint:
        ours = {(c.path, c.size, c.uid) for c in checkpoint.changes if c.change == "written"}
        assert ours == {row for row in theirs if row[0] != "/"}
        assert {c.path for c in checkpoint.changes if c.change == "deleted"} == deleted


# --- ghosts -------------------------------------------------------------------------------------
HEAD = {"uid": 1, "gid": 2, "mode": 0o100640, "dev": 0, "ino": 0}


def framed(kind: str, fields: dict[str, int]) -> bytes:
    data = encode(message(kind, fields))
    return len(data).to_bytes(4, "little") + data


def ghosts(payload: bytes, **fields: Any) -> dict[str, bytes]:
    """A deleted file that was open as /tmp/x, with the number 10 in hexadecimal."""
    fown = {"uid": 0, "euid": 0, "signum": 0, "pid_type": 0, "pid": 0}
    reg = {"id": 4, "flags": 0, "pos": 0, "fown": fown, "name": b"/tmp/x"}
    return {
        "files.img": image("FILES", {"type": 1, "id": 4, "reg": reg}),
        "remap-fpath.img": image("REMAP_FPATH", {"orig_id": 4, "remap_id": 10, "remap_type": 1}),
        "ghost-file-a.img": image("GHOST_FILE", HEAD | fields) + payload,
    }


def test_a_ghost_in_one_piece() -> None:
    checkpoint = made(ghosts(b"all of it"))
    (ghost,) = checkpoint.ghosts
    assert (ghost.path, ghost.size, ghost.mode, ghost.uid, ghost.gid) == ("/tmp/x", 9, "-rw-r-----", 1, 2)
    assert contents(checkpoint.images, "ghost-file-a.img") == b"all of it"


def test_a_ghost_from_before_1970() -> None:
    old = {"tv_sec": (1 << 64) - 2, "tv_usec": 5}
    (entry,) = made(ghosts(b"x", mtim=old)).filesystem.entries
    assert entry.mtime_ns == -1_999_995_000


def test_a_ghost_in_chunks_with_a_hole() -> None:
    pieces = [(0, b"begin"), (4096, b"end")]
    payload = b"".join(
        framed("ghost_chunk_entry", {"off": at, "len": len(data)}) + data for at, data in pieces
    )
    checkpoint = made(ghosts(payload, chunks=1, size=4099))
    (ghost,) = checkpoint.ghosts
    assert ghost.size == 4099
    assert contents(checkpoint.images, "ghost-file-a.img") == b"begin" + bytes(4091) + b"end"


def test_a_ghost_that_ends_in_a_hole() -> None:
    payload = framed("ghost_chunk_entry", {"off": 0, "len": 1}) + b"x"
    checkpoint = made(ghosts(payload, chunks=1, size=5000))
    assert contents(checkpoint.images, "ghost-file-a.img") == b"x" + bytes(4999)


@pytest.mark.parametrize(("offset", "size"), [(limits.EXTRA, 1), (0, limits.EXTRA + 1), (1 << 63, 1)])
def test_a_ghost_that_claims_too_much(offset: int, size: int) -> None:
    payload = framed("ghost_chunk_entry", {"off": offset, "len": 1}) + b"x"
    checkpoint = made(ghosts(payload, chunks=1, size=size))
    with pytest.raises(LimitExceeded):
        contents(checkpoint.images, "ghost-file-a.img")
    assert len(checkpoint.ghosts) == 1


def test_a_ghost_that_is_lost_is_left_out() -> None:
    files = ghosts(b"")
    del files["ghost-file-a.img"]
    checkpoint = made(files)
    assert checkpoint.ghosts == []
