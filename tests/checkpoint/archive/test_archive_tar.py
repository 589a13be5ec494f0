"""Tars as GNU tar and Python write them: every dialect, read as they read it."""

from __future__ import annotations

import io
import os
import shutil
import struct
import subprocess
import tarfile
from pathlib import Path

import pytest
from archive_samples import Samples
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoscope.checkpoint.archive import Archive, BytesSource, FileSource, open_archive
from cryoscope.checkpoint.archive.header import number, valid

GNU_TAR = shutil.which("tar")
needs_tar = pytest.mark.skipif(GNU_TAR is None, reason="no tar")

TYPES = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.GNUTYPE_SPARSE: "file",
    tarfile.LNKTYPE: "hardlink",
    tarfile.SYMTYPE: "symlink",
    tarfile.DIRTYPE: "directory",
    tarfile.FIFOTYPE: "fifo",
    tarfile.CHRTYPE: "chardev",
    tarfile.BLKTYPE: "blockdev",
}


def agrees(archive: Archive, data: bytes) -> None:
    """The archive is what tarfile makes of the same bytes."""
    with tarfile.open(fileobj=io.BytesIO(data)) as expected:
        infos = {info.name.strip("/"): info for info in expected.getmembers()}
        assert list(archive.members) == list(infos)
        for name, info in infos.items():
            member = archive.members[name]
            assert member.type == TYPES[info.type], name
            assert (member.mode, member.uid, member.gid) == (info.mode, info.uid, info.gid)
            assert (member.uname, member.gname, member.linkname) == (info.uname, info.gname, info.linkname)
            assert abs(member.mtime_ns - info.mtime * 1e9) < 1e6
            if info.isfile() or info.islnk():
                content = expected.extractfile(info)
                assert content is not None
                assert archive.read(name) == content.read(), name
            if info.isfile():
                assert member.size == info.size


def tree(root: Path) -> None:
    """Files of every kind that an ordinary user can make."""
    (root / "folder/deep").mkdir(parents=True)
    (root / "folder/empty").write_bytes(b"")
    (root / "folder/deep/data").write_bytes(bytes(range(256)) * 20)
    os.link(root / "folder/deep/data", root / "linked")
    (root / "symbolic").symlink_to("folder/deep/data")
    (root / "r\u00e4ksm\u00f6rg\u00e5s \u732b").write_bytes(b"name")
    os.mkfifo(root / "fifo")
    os.utime(root / "folder/empty", ns=(0, 1_234_567_890_123_456_789))


def long_names(root: Path) -> None:
    deep = root / ("a" * 90) / ("b" * 90) / ("c" * 90)
    deep.mkdir(parents=True)
    (deep / ("d" * 120)).write_bytes(b"deep")
    (root / "far").symlink_to("x/" * 100 + "y")


def tar(root: Path, *options: str) -> bytes:
    assert GNU_TAR is not None
    done = subprocess.run(
        [GNU_TAR, "-C", str(root), "-cf", "-", *options, "."], capture_output=True, check=False
    )
    return done.stdout


@needs_tar
@pytest.mark.parametrize("dialect", ["gnu", "oldgnu", "pax", "posix", "ustar", "v7"])
def test_gnu_tar_dialects(tmp_path: Path, dialect: str) -> None:
    tree(tmp_path)
    if dialect not in ("ustar", "v7"):
        long_names(tmp_path)
    data = tar(tmp_path, f"--format={dialect}", "--sort=name")
    with open_archive(BytesSource(data, "x")) as archive:
        assert archive.damaged == []
        assert "folder/deep/data" in archive
        named = {name: member for name, member in archive.members.items() if name}
        with tarfile.open(fileobj=io.BytesIO(data)) as expected:
            infos = [info for info in expected.getmembers() if info.name != "."]
        assert list(named) == [info.name.removeprefix("./").rstrip("/") for info in infos]
        for info, member in zip(infos, named.values(), strict=True):
            assert (TYPES[info.type], info.linkname) == (member.type, member.linkname)
        assert archive.read("folder/deep/data") == bytes(range(256)) * 20
        both = [archive.read(name) for name in ("linked", "folder/deep/data")]
        assert both[0] == both[1]
    if dialect in ("pax", "posix"):
        assert archive.members["folder/empty"].mtime_ns == 1_234_567_890_123_456_789


@needs_tar
@pytest.mark.parametrize(
    "options",
    [
        ("--format=gnu",),
        ("--format=pax", "--sparse-version=0.0"),
        ("--format=pax", "--sparse-version=0.1"),
        ("--format=pax", "--sparse-version=1.0"),
    ],
)
@pytest.mark.parametrize("runs", [0, 1, 3, 5, 60])
def test_sparse_files(tmp_path: Path, options: tuple[str, ...], runs: int) -> None:
    path = tmp_path / "holes"
    with path.open("wb") as file:
        for run in range(runs):
            file.seek(run * 262_144 + 65_536)
            file.write(bytes([run + 1]) * (4096 + run))
        file.truncate(runs * 262_144 + 100_000)
    (tmp_path / "zlast").write_bytes(b"behind")
    data = tar(tmp_path, "--sparse", *options, "--sort=name")
    with open_archive(BytesSource(data, "x")) as archive:
        expected = path.read_bytes()
        assert archive.damaged == []
        assert archive.members["holes"].size == len(expected)
        assert archive.read("holes") == expected
        assert archive.read("zlast") == b"behind"
        for offset, length in ((0, 10), (65_530, 20), (60_000, 300_000), (len(expected) - 5, 50)):
            assert archive.read_at("holes", offset, length) == expected[offset : offset + length]
        with archive.open("holes") as file:
            file.seek(65_536)
            assert file.read(5000) == expected[65_536:70_536]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_numbers_beyond_octal(samples: Samples, form: int) -> None:
    info = tarfile.TarInfo("large")
    info.uid, info.gid, info.mtime = 2**21 - 1, 77, 8**11 - 1
    if form != tarfile.USTAR_FORMAT:
        info.uid, info.mtime = 2**31, -5
    data = samples.tarfile([(info, b"x")], form)
    with samples.open(data) as archive:
        agrees(archive, data)


def test_huge_base256_size() -> None:
    info = tarfile.TarInfo("pages-1.img")
    info.size = 20 * 2**30
    data = info.tobuf(tarfile.GNU_FORMAT) + b"begin"
    with open_archive(BytesSource(data, "x")) as archive:
        assert archive.members["pages-1.img"].size == 20 * 2**30
        assert archive.read("pages-1.img", partial=True) == b"begin"


def test_devices_and_missing_end_blocks(samples: Samples) -> None:
    info = tarfile.TarInfo("null")
    info.type, info.devmajor, info.devminor = tarfile.CHRTYPE, 1, 3
    data = samples.tarfile([(info, b""), (tarfile.TarInfo("file"), b"content")])
    end = data.index(b"content") + 512
    with samples.open(data[:end]) as archive:
        assert (archive.members["null"].devmajor, archive.members["null"].devminor) == (1, 3)
        assert archive.read("file") == b"content"
        assert [record.code for record in archive.damaged] == ["archive.no-end"]


def test_xattrs_and_globals(samples: Samples) -> None:
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"uname": "everyone", "comment": "x"}
    ) as archive:
        info = tarfile.TarInfo("ping")
        info.pax_headers = {"SCHILY.xattr.security.capability": "\x01\x00\x00\x02"}
        archive.addfile(info)
    with samples.open(buffer.getvalue()) as opened:
        assert opened.members["ping"].xattrs == {"security.capability": b"\x01\x00\x00\x02"}
        assert opened.members["ping"].uname == "everyone"


def test_names_are_normalised_but_dots_stay(samples: Samples) -> None:
    names = ["./a", "/etc//passwd", "../../escape", "x/./y", "z/", "."]
    data = samples.tarfile([(tarfile.TarInfo(name), b"") for name in names])
    with samples.open(data) as archive:
        assert archive.names() == ["a", "etc/passwd", "../../escape", "x/y", "z"]


def test_undecodable_names_survive(samples: Samples) -> None:
    name = b"caf\xe9".decode("utf-8", "surrogateescape")
    data = samples.tarfile([(tarfile.TarInfo(name), b"x")])
    with samples.open(data) as archive:
        assert archive.read(name) == b"x"


def test_the_last_of_duplicates_counts(samples: Samples) -> None:
    info = tarfile.TarInfo
    data = samples.tarfile([(info("a"), b"one"), (info("b"), b"-"), (info("a"), b"two")])
    with samples.open(data) as archive:
        assert archive.read("a") == b"two"
        assert archive.names() == ["b", "a"]
        assert [(record.part, record.code) for record in archive.damaged] == [
            ("a", "archive.duplicate-member")
        ]


def test_folders_may_come_twice(samples: Samples) -> None:
    def folder() -> tarfile.TarInfo:
        info = tarfile.TarInfo("folder")
        info.type = tarfile.DIRTYPE
        return info

    with samples.open(samples.tarfile([(folder(), b""), (folder(), b"")])) as archive:
        assert archive.damaged == []


def test_hard_link_to_nothing(samples: Samples) -> None:
    info = tarfile.TarInfo("link")
    info.type, info.linkname = tarfile.LNKTYPE, "elsewhere"
    with samples.open(samples.tarfile([(info, b"")])) as archive, pytest.raises(Exception, match="elsewhere"):
        archive.read("link")


def test_signed_checksums_of_old_suns(samples: Samples) -> None:
    block = bytearray(samples.tarfile([(tarfile.TarInfo("\u00e9"), b"")])[:512])
    block[148:156] = b" " * 8
    total = sum(struct.unpack("512b", bytes(block)))
    block[148:156] = b"%06o\0 " % total
    assert valid(bytes(block))
    block[0] ^= 1
    assert not valid(bytes(block))


def test_gnu_tar_reads_concatenations_so_they_are_named(samples: Samples) -> None:
    one, two = samples.tar({"a": b"1"}), samples.tar({"b": b"2"})
    with samples.open(one + two) as archive:
        assert archive.names() == ["a"]
        assert [(one.code, one.offset) for one in archive.damaged] == [("archive.trailing", len(one))]


@given(st.integers(-(2**62), 2**62))
def test_numbers_are_those_of_tarfile(value: int) -> None:
    assert number(tarfile.itn(value, 12, tarfile.GNU_FORMAT)) == value  # type: ignore[attr-defined]


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=60)
PATHS = (
    st.lists(NAMES.filter(lambda part: part != "."), min_size=1, max_size=6)
    .map("/".join)
    .filter(lambda path: len(path.encode()) < 1000)
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(PATHS, st.tuples(st.binary(max_size=1500), st.integers(0, 2**33)), max_size=12),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_what_tarfile_writes(files: dict[str, tuple[bytes, int]], form: int) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as writer:
        for name, (data, when) in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.uid = len(data), when, when
            writer.addfile(info, io.BytesIO(data))
    with open_archive(BytesSource(buffer.getvalue(), "x")) as archive:
        assert archive.damaged == []
        found = {name: (archive.read(name), one.mtime_ns // 10**9) for name, one in archive.members.items()}
        assert found == files


@needs_tar
@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="no xattrs here")
def test_xattrs_by_gnu_tar(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    try:
        os.setxattr(path, "user.note", b"\xff\x00value")
    except OSError:
        pytest.skip("no xattrs on this file system")
    data = tar(tmp_path, "--format=pax", "--xattrs")
    with open_archive(BytesSource(data, "x")) as archive:
        assert archive.members["file"].xattrs == {"user.note": b"\xff\x00value"}


def test_many_members_are_walked_in_windows(tmp_path: Path, samples: Samples) -> None:
    files = {f"f{number}": bytes(number % 3000) for number in range(1500)}
    files["large"] = bytes(3 << 20)
    files.update({f"g{number}": b"x" for number in range(20)})
    path = tmp_path / "many.tar"
    path.write_bytes(samples.tar(files))
    with open_archive(FileSource(path)) as archive:
        assert archive.names() == list(files)
        assert all(archive.members[name].size == len(data) for name, data in files.items())
