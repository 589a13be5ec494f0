"""The tar writer: read back by ourselves, by tarfile and by GNU tar, and the same every time."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile

import pytest
from archive_samples import Samples
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoscope.checkpoint.archive import BytesSource, TarWriter, open_archive
from cryoscope.errors import ArchiveError

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=80)
PATHS = (
    st.lists(NAMES.filter(lambda part: part != "."), min_size=1, max_size=5)
    .map("/".join)
    .filter(lambda path: len(path.encode()) < 1000)
)
XATTRS = st.dictionaries(
    st.text("abcdefgh", min_size=1).map("user.".__add__),
    st.binary(max_size=40),
    max_size=3,
)
ENTRIES = st.dictionaries(
    PATHS,
    st.tuples(
        st.binary(max_size=1200),
        st.integers(0, 0o7777),
        st.integers(0, 2**32),
        st.integers(-(2**61), 2**62),
        XATTRS,
    ),
    max_size=8,
)


@settings(max_examples=200, deadline=None)
@given(ENTRIES)
def test_what_is_written_is_read(entries: dict[str, tuple[bytes, int, int, int, dict[str, bytes]]]) -> None:
    buffer = io.BytesIO()
    with TarWriter(buffer) as writer:
        for name, (data, mode, uid, when, xattrs) in entries.items():
            writer.add(name, data, mode=mode, uid=uid, gid=uid // 2, mtime_ns=when, xattrs=xattrs)
    data = buffer.getvalue()
    assert len(data) % 10240 == 0
    with open_archive(BytesSource(data, "x")) as archive:
        assert archive.damaged == []
        found = {
            name: (archive.read(name), one.mode, one.uid, one.mtime_ns, dict(one.xattrs))
            for name, one in archive.members.items()
        }
    assert found == entries
    with tarfile.open(fileobj=io.BytesIO(data)) as oracle:
        assert [info.name for info in oracle] == [name.rstrip("/") for name in entries]
        for info, (content, mode, uid, when, _) in zip(oracle, entries.values(), strict=True):
            extracted = oracle.extractfile(info)
            assert extracted is not None
            assert (extracted.read(), info.mode, info.uid) == (content, mode, uid)
            assert info.mtime == pytest.approx(when / 1e9, abs=1)


def sample() -> bytes:
    buffer = io.BytesIO()
    with TarWriter(buffer) as writer:
        writer.add_directory("checkpoint", mtime_ns=1_700_000_000_000_000_000)
        writer.add("checkpoint/inventory.img", b"image", xattrs={"user.b": b"2", "user.a": b"1"})
        writer.add("n" * 120, io.BytesIO(b"stream"))
        writer.add("d" * 90 + "/" + "n" * 90, io.BytesIO(b"0123456789"), size=4)
        writer.add("\u732b", b"cat", uid=3_000_000, mtime_ns=1_500_000_000)
        writer.add_symlink("link", "t" * 150)
        writer.add_symlink("checkpoint/parent", "../pre-checkpoint")
    return buffer.getvalue()


def test_the_bytes_are_the_same_everywhere() -> None:
    import hashlib

    assert sample() == sample()
    digest = "a7e1640eab74c6148b1049c4ffe74c8d9105853dcfe7f7897879895f9bcefb31"
    assert hashlib.sha256(sample()).hexdigest() == digest


def test_the_sample_is_read() -> None:
    with open_archive(BytesSource(sample(), "x")) as archive:
        assert archive.read("d" * 90 + "/" + "n" * 90) == b"0123"
        assert archive.members["link"].linkname == "t" * 150
        assert archive.members["checkpoint"].type == "directory"
        assert archive.members["checkpoint/inventory.img"].xattrs == {"user.a": b"1", "user.b": b"2"}


@pytest.mark.skipif(shutil.which("tar") is None, reason="no tar")
def test_gnu_tar_reads_it() -> None:
    done = subprocess.run(["tar", "-tvf", "-"], input=sample(), capture_output=True, check=True)
    assert done.stderr == b""
    lines = done.stdout.decode().splitlines()
    assert len(lines) == 7
    assert lines[-1].endswith("checkpoint/parent -> ../pre-checkpoint")
    content = subprocess.run(["tar", "-xOf", "-", "n" * 120], input=sample(), capture_output=True, check=True)
    assert content.stdout == b"stream"


def test_half_an_archive_has_no_end(samples: Samples) -> None:
    buffer = io.BytesIO()

    def write() -> None:
        with TarWriter(buffer) as writer:
            writer.add("whole", b"1")
            writer.add("short", io.BytesIO(b"12"), size=5)

    with pytest.raises(ArchiveError, match="3 bytes early"):
        write()
    with samples.open(buffer.getvalue()) as archive:
        assert {one.code for one in archive.damaged} == {"archive.truncated"}
        assert archive.read("whole") == b"1"


@pytest.mark.parametrize("name", ["", "/", "./", "a\0b", "x" * 5000])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(ArchiveError):
        TarWriter(io.BytesIO()).add(name, b"")


def test_large_sizes_need_an_extended_header() -> None:
    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return b""

    buffer = io.BytesIO()
    with pytest.raises(ArchiveError, match="early"):
        TarWriter(buffer).add("pages-1.img", Endless(), size=9 << 30)  # type: ignore[arg-type]
    with open_archive(BytesSource(buffer.getvalue(), "x")) as archive:
        assert archive.members["pages-1.img"].size == 9 << 30


def test_closing_twice_ends_once() -> None:
    buffer = io.BytesIO()
    writer = TarWriter(buffer)
    writer.close()
    writer.close()
    assert buffer.getvalue() == bytes(10240)
