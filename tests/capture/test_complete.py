"""A complete checkpoint is told from one that lacks a byte."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoscope.checkpoint.archive import BytesSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.complete import missing_from
from cryoscope.checkpoint.criu.framing import head_bytes
from cryoscope.checkpoint.criu.images import by_file_name
from cryoscope.checkpoint.criu.messages import encode, message_class
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.workflows.open import open_checkpoint

DATA = Path(__file__).resolve().parent.parent / "data"
COMPLETE = sorted(
    path.name
    for path in DATA.iterdir()
    if path.name not in ("README.md", "rules", "truth", "cri", "kubelet", "truncated-by-full-disk.tar")
)
LOOPER = "podman-looper-crun.tar"
PLAIN = ("podman-looper-crun.tar", "containerd-counter.tar", "crio-counter.tar", "ctr-image.tar")
PACKED = ("podman-looper-crun.tar.gz", "criu-incremental.tar.zst")


def missing(data: bytes) -> list[Damaged]:
    """What an archive in memory lacks; one that cannot be opened at all lacks that."""
    try:
        with Checkpoint(open_archive(BytesSource(data, "cut.tar"))) as checkpoint:
            return missing_from(checkpoint)
    except CryoscopeError as error:
        return [Damaged("cut.tar", error.message, error.code)]


def bytes_of(name: str) -> bytes:
    return (DATA / name).read_bytes()


@pytest.mark.parametrize("name", COMPLETE)
def test_every_archive_that_an_engine_finished_is_complete(name: str) -> None:
    with open_checkpoint(str(DATA / name)) as checkpoint:
        assert missing_from(checkpoint) == []


def test_the_one_that_a_full_disk_cut_short_is_not() -> None:
    with open_checkpoint(str(DATA / "truncated-by-full-disk.tar")) as checkpoint:
        found = {(each.code, each.part) for each in missing_from(checkpoint)}
    assert found == {
        ("complete.cut", "checkpoint/pages-1.img"),
        ("complete.image", "checkpoint/pstree.img"),
        ("complete.pages", "checkpoint/pages-2.img"),
    }


def test_archives_of_the_corpus_are_complete(corpus: Path) -> None:
    found = [*corpus.glob("*/checkpoint.tar*"), *(corpus / "kubelet").glob("*-counters-*.tar")]
    assert found
    for path in found:
        with open_checkpoint(str(path)) as checkpoint:
            assert missing_from(checkpoint) == [], path


# --- cut off --------------------------------------------------------------------------------------
def borders(name: str) -> list[int]:
    """Where each member and the end marker begin, and each block of that."""
    with tarfile.open(DATA / name, "r:") as tar:
        members = tar.getmembers()
        ends = [m.offset_data + -(-m.size // 512) * 512 * m.isreg() for m in members]
        return [m.offset for m in members if m.offset] + [m.offset_data for m in members] + [*ends]


@pytest.mark.parametrize("name", PLAIN)
def test_cut_exactly_between_two_members_it_is_not_complete(name: str) -> None:
    whole = bytes_of(name)
    ends = {len(whole) - 512, len(whole) - 1} if name != "ctr-image.tar" else set()
    places = sorted({*borders(name), *ends} - {0})
    assert len(places) > 10
    for place in places:
        if whole[place:].count(0) == len(whole) - place and len(whole) - place > 1024:
            continue
        assert missing(whole[:place]), place


@given(data=st.data(), name=st.sampled_from(PLAIN + PACKED))
@settings(max_examples=150)
def test_cut_anywhere_it_is_never_called_complete(data: st.DataObject, name: str) -> None:
    whole = bytes_of(name)
    end = len(whole.rstrip(b"\0")) if name in PLAIN else len(whole) - 1
    place = data.draw(st.integers(1, min(end, len(whole) - 1)))
    found = missing(whole[:place])
    assert found
    assert all(each.problem for each in found)


def test_behind_the_end_marker_nothing_is_missed() -> None:
    assert missing(bytes_of(LOOPER) + bytes(9000)) == []


# --- a member less, or other ----------------------------------------------------------------------
def changed(name: str, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """A proper tar of the same members: `change` gives each one's bytes, None to leave it out."""
    out = io.BytesIO()
    with tarfile.open(DATA / name) as tar, tarfile.open(fileobj=out, mode="w") as made:
        for member in tar:
            source = tar.extractfile(member) if member.isreg() else None
            data = change(member.name, source.read()) if source is not None else b""
            if data is not None:
                member.size = len(data)
                made.addfile(member, io.BytesIO(data))
    return out.getvalue()


def without(name: str, member: str) -> bytes:
    return changed(name, lambda each, data: None if each == member else data)


def other(name: str, member: str, change: Callable[[bytes], bytes]) -> bytes:
    return changed(name, lambda each, data: change(data) if each == member else data)


NEEDED = [
    (LOOPER, "config.dump", "complete.document"),
    (LOOPER, "checkpoint/descriptors.json", "complete.document"),
    (LOOPER, "checkpoint/inventory.img", "complete.image"),
    (LOOPER, "checkpoint/pstree.img", "complete.image"),
    (LOOPER, "checkpoint/files.img", "complete.image"),
    (LOOPER, "checkpoint/core-1.img", "complete.process"),
    (LOOPER, "checkpoint/mm-1.img", "complete.process"),
    (LOOPER, "checkpoint/fs-1.img", "complete.process"),
    (LOOPER, "checkpoint/fdinfo-2.img", "complete.process"),
    (LOOPER, "checkpoint/pagemap-1.img", "complete.process"),
    (LOOPER, "checkpoint/pages-1.img", "complete.pages"),
    ("containerd-looper.tar", "status.dump", "complete.document"),
    ("crio-counter.tar", "spec.dump", "complete.document"),
    ("podman-kitchen-sink.tar.zst", "checkpoint/pagemap-shmem-1361.img", "complete.pages"),
    ("podman-kitchen-sink.tar.zst", "checkpoint/core-6.img", "complete.process"),
    ("criu-incremental.tar.zst", "pre-checkpoint/pages-1.img", "complete.pages"),
    ("criu-incremental.tar.zst", "pre-checkpoint/pagemap-641.img", "complete.parent"),
]


def plain(name: str, tmp_path: Path) -> str:
    """An archive as one that `tarfile` reads on every Python."""
    if not name.endswith(".zst"):
        return name
    with open_checkpoint(str(DATA / name)) as checkpoint, tarfile.open(tmp_path / name, "w") as made:
        for each, member in checkpoint.archive.members.items():
            info = tarfile.TarInfo(each)
            if member.type == "symlink":
                info.type, info.linkname = tarfile.SYMTYPE, member.linkname
                made.addfile(info)
            elif member.type == "file":
                info.size = member.size
                made.addfile(info, io.BytesIO(checkpoint.archive.read(each)))
    return str(tmp_path / name)


@pytest.mark.parametrize(("name", "member", "code"), NEEDED)
def test_a_missing_member_is_named(name: str, member: str, code: str, tmp_path: Path) -> None:
    name = plain(name, tmp_path)
    assert missing(changed(name, lambda _, data: data)) == []
    found = missing(without(name, member))
    assert code in {each.code for each in found}
    assert any(member in each.part or "parent" in each.problem for each in found)


@pytest.mark.parametrize("member", ["checkpoint/core-1.img", "checkpoint/mm-1.img", "checkpoint/pstree.img"])
@pytest.mark.parametrize("left", [0, 3, 7, 20])
def test_an_image_cut_short_inside_a_whole_tar_is_named(member: str, left: int) -> None:
    assert any(each.part == member for each in missing(other(LOOPER, member, lambda data: data[:left])))


@pytest.mark.parametrize("change", [lambda d: d[:-4096], lambda d: d + bytes(4096), lambda d: d[:-1]])
def test_pages_of_another_size_than_their_pagemap_says_are_named(change: Callable[[bytes], bytes]) -> None:
    (found,) = missing(other(LOOPER, "checkpoint/pages-1.img", change))
    assert (found.code, found.part) == ("complete.pages", "checkpoint/pages-1.img")


def test_images_of_a_process_that_had_ended_do_not_count() -> None:
    """Two checkpoints into one folder: the second one's pages stand under the first one's number."""
    with tarfile.open(DATA / "podman-looper-crun.tar.gz") as tar:
        pagemap = tar.extractfile("checkpoint/pagemap-12.img")
        assert pagemap is not None
        stale = pagemap.read()
    assert missing(other("podman-looper-crun.tar.gz", "checkpoint/pagemap-12.img", lambda _: stale)) == []


# --- files of the container ---------------------------------------------------------------------
DIFF = "rootfs-diff.tar"


@pytest.mark.parametrize("left", [0, 300, 512, 2048, -512, -600])
def test_a_layer_without_its_end_is_named(left: int) -> None:
    found = missing(other(LOOPER, DIFF, lambda data: data[:left] if left else b""))
    assert {(each.code, each.part) for each in found} == {("complete.files", DIFF)}


@pytest.mark.parametrize("left", [1, 9, 100])
def test_a_gzip_layer_without_its_end_is_named(left: int) -> None:
    found = missing(other("containerd-looper.tar", DIFF, lambda data: data[:-left]))
    assert {(each.code, each.part) for each in found} == {("complete.files", DIFF)}


def test_a_layer_that_was_compressed_again_is_complete() -> None:
    assert missing(other(LOOPER, DIFF, gzip.compress)) == []


# --- many pages -----------------------------------------------------------------------------------
def test_a_gibibyte_in_single_pages_is_counted_from_its_pagemap_alone(tmp_path: Path) -> None:
    """131,072 runs of two pages; the pages image is a hole that nobody could have read in vain."""
    folder = tmp_path / "images"
    folder.mkdir()
    with tarfile.open(DATA / LOOPER) as tar:
        for member in tar:
            source = tar.extractfile(member) if member.name.endswith(".img") else None
            if source is not None:
                (folder / Path(member.name).name).write_bytes(source.read())
    (folder / "descriptors.json").write_text("[]")
    runs = 131_072
    (folder / "pagemap-1.img").write_bytes(scattered(runs))
    for size, expected in ((runs * 8192, []), (runs * 8192 - 4096, ["pages-1.img"])):
        with open(folder / "pages-1.img", "wb") as pages:
            pages.truncate(size)
        with open_checkpoint(str(folder)) as checkpoint:
            assert [each.part for each in missing_from(checkpoint)] == expected


def scattered(runs: int) -> bytes:
    """A pagemap of runs of two pages, each a page from the next."""
    kind = by_file_name("pagemap-1.img")
    assert kind is not None
    message = message_class("pagemap_entry")
    parts = [head_bytes(kind, kind.head)]
    entries = [message_class("pagemap_head")(pages_id=1)]
    entries += [message(vaddr=0x10000 + n * 3 * 4096, nr_pages=2, flags=4) for n in range(runs)]
    for entry in entries:
        data = encode(entry)
        parts += [struct.pack("<I", len(data)), data]
    return b"".join(parts)
