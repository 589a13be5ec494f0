"""Every archive of the corpus, with tarfile as the oracle."""

from __future__ import annotations

import io
import sys
import tarfile
from pathlib import Path

import pytest

from cryoscope.checkpoint.archive import FileSource, PipeSource, open_archive, open_folder

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

WHOLE = [
    "containerd-looper/checkpoint.tar",
    "kubelet/containerd-counters-counter.tar",
    "kubelet/containerd-counters-redis.tar",
    "kubelet/crio-counters-counter.tar",
    "kubelet/crio-counters-redis.tar",
    "podman-counter/checkpoint.tar.zst",
    "podman-counter/crit-show.tar.xz",
    "podman-kitchen-sink/checkpoint.tar.zst",
    "podman-looper-criu41/checkpoint.tar",
    "podman-looper-crun/checkpoint.tar",
    "podman-looper-crun/checkpoint.tar.gz",
    "podman-looper-crun/checkpoint.tar.zst",
    "podman-looper-runc/checkpoint.tar.zst",
    "podman-threads/checkpoint.tar.zst",
]
KINDS = {tarfile.REGTYPE: "file", tarfile.DIRTYPE: "directory", tarfile.SYMTYPE: "symlink"}


def oracle(path: Path) -> tarfile.TarFile:
    data = path.read_bytes()
    if path.suffix == ".zst":
        return tarfile.open(fileobj=io.BytesIO(zstd.decompress(data)))
    return tarfile.open(fileobj=io.BytesIO(data))


@pytest.mark.parametrize("name", WHOLE)
def test_members_are_those_of_tarfile(corpus: Path, name: str) -> None:
    with open_archive(FileSource(corpus / name)) as archive, oracle(corpus / name) as expected:
        infos = [info for info in expected.getmembers() if info.name.strip("./")]
        assert archive.damaged == []
        assert list(archive.members) == [info.name.removeprefix("./") for info in infos]
        for info, member in zip(infos, archive.members.values(), strict=True):
            assert member.type == KINDS[info.type]
            assert (member.size, member.mode, member.uid, member.gid) == (
                info.size,
                info.mode,
                info.uid,
                info.gid,
            )
            assert (member.uname, member.gname, member.linkname) == (info.uname, info.gname, info.linkname)
            assert abs(member.mtime_ns / 1e9 - info.mtime) < 1e-3
            if info.isfile():
                data = expected.extractfile(info)
                assert data is not None
                assert archive.read(member.name) == data.read()


@pytest.mark.parametrize("name", WHOLE)
def test_a_pipe_gives_the_same(corpus: Path, name: str) -> None:
    with (corpus / name).open("rb") as stream, open_archive(FileSource(corpus / name)) as archive:
        piped = open_archive(PipeSource(stream, "<stdin>"))
        assert piped.form == archive.form
        assert piped.members == archive.members
        for path, member in archive.members.items():
            if member.type == "file":
                assert piped.read(path) == archive.read(path)


def test_what_a_full_disk_leaves(corpus: Path) -> None:
    with open_archive(FileSource(corpus / "kubelet/truncated-by-full-disk.tar")) as archive:
        (record,) = archive.damaged
        assert (record.part, record.code) == ("checkpoint/pages-1.img", "archive.truncated")
        assert len(archive.read(record.part, partial=True)) == record.offset
        assert archive.read("checkpoint/inventory.img")


def test_docker_folder(corpus: Path) -> None:
    folder = corpus / "docker-looper/checkpoint"
    with open_folder(str(folder)) as archive:
        assert archive.form == "folder"
        assert archive.names() == sorted(path.name for path in folder.iterdir())
        assert archive.read("pstree.img") == (folder / "pstree.img").read_bytes()
        inner = [name for name in archive.names() if name.startswith("tmpfs-dev-")]
        assert inner
        for name in inner:
            with open_archive(archive.source(name)) as tmpfs:
                assert tmpfs.form == "tar+gzip"


def test_incremental_folder_finds_its_parent(corpus: Path) -> None:
    with open_folder(str(corpus / "criu-incremental/threads-incremental-on-full-1")) as archive:
        parent = archive.parent
        assert parent is not None
        assert parent.members["pages-1.img"].size == 3919872
        assert archive.parent_of("") == (parent, "")
        assert parent.parent is None
        assert archive.damaged == []


def test_layers_inside_archives(corpus: Path) -> None:
    archive = open_archive(FileSource(corpus / "containerd-looper/checkpoint.tar"))
    with archive, open_archive(archive.source("rootfs-diff.tar")) as diff:
        assert diff.form == "tar+gzip"
        assert diff.nesting == 1
        assert "newfile" in diff
        assert "bin/.wh.nc" in diff
