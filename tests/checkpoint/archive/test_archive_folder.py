"""Folders on disk: what is in them, what is never followed or opened, and their parents."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from archive_samples import Samples

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive, BytesSource, FileSource, open_archive, open_folder
from cryoscope.errors import ArchiveError, MemberMissing


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    (folder / "checkpoint").mkdir(parents=True)
    (folder / "config.dump").write_bytes(b"{}")
    (folder / "checkpoint/pages-1.img").write_bytes(bytes(range(256)) * 100)
    (folder / "checkpoint/inventory.img").write_bytes(b"inventory")
    return folder


def test_a_folder_is_an_archive(images: Path) -> None:
    os.utime(images / "config.dump", ns=(1, 1_700_000_000_123_456_789))
    with open_folder(str(images)) as archive:
        assert (archive.form, archive.size) == ("folder", 25_600 + 9 + 2)
        names = ["checkpoint", "checkpoint/inventory.img", "checkpoint/pages-1.img", "config.dump"]
        assert archive.names() == names
        assert archive.members["checkpoint"].type == "directory"
        assert archive.members["config.dump"].mtime_ns == 1_700_000_000_123_456_789
        assert archive.members["config.dump"].offset == -1
        assert archive.read("checkpoint/pages-1.img") == bytes(range(256)) * 100
        assert archive.read_at("checkpoint/pages-1.img", 255, 3) == b"\xff\0\1"
        assert archive.read_at("checkpoint/pages-1.img", 99_999, 3) == b""
        with archive.open("checkpoint/pages-1.img") as file:
            file.seek(-3, os.SEEK_END)
            assert file.read() == b"\xfd\xfe\xff"
        assert archive.parent is None
        with pytest.raises(MemberMissing):
            archive.read("pages-1.img")


def test_what_is_no_file_is_shown_and_not_opened(images: Path, tmp_path: Path) -> None:
    os.mkfifo(images / "fifo")
    (images / "secret").symlink_to("/etc/hostname")
    (images / "loop").symlink_to(".")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(images, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
        with open_folder(str(images)) as archive:
            kinds = {name: archive.members[name].type for name in ("fifo", "secret", "loop", "socket")}
            assert kinds == {"fifo": "fifo", "secret": "symlink", "loop": "symlink", "socket": "other"}
            assert archive.members["secret"].linkname == "/etc/hostname"
            for name in kinds:
                with pytest.raises(ArchiveError):
                    archive.read(name)


def test_what_changes_after_the_index_is_not_followed(images: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/inventory.img").write_bytes(b"host file")
    with open_folder(str(images)) as archive:
        (images / "config.dump").unlink()
        os.mkfifo(images / "config.dump")
        (images / "checkpoint").rename(images / "moved")
        (images / "checkpoint").symlink_to(tmp_path / "outside")
        for name in ("config.dump", "checkpoint/inventory.img"):
            with pytest.raises(ArchiveError):
                archive.read(name)


def test_many_files_stay_within_open_files(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"f{number:03}").write_bytes(b"%d" % number)
    before = len(os.listdir("/proc/self/fd"))
    with open_folder(str(tmp_path)) as archive:
        for _ in range(2):
            assert [archive.read(name) for name in archive.names()] == [b"%d" % n for n in range(200)]
        assert len(os.listdir("/proc/self/fd")) < before + 80
    assert len(os.listdir("/proc/self/fd")) == before


def test_folders_are_bounded(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FOLDER_DEPTH", 3)
    (images / "a/b/c/d/e").mkdir(parents=True)
    with open_folder(str(images)) as archive:
        assert "a/b/c/d" in archive
        assert "a/b/c/d/e" not in archive
        assert [one.code for one in archive.damaged] == ["limit.folder-depth"]
    monkeypatch.setattr(limits, "MEMBERS", 2)
    with open_folder(str(images)) as archive:
        assert len(archive.members) == 2
        assert [one.code for one in archive.damaged] == ["limit.members"]


@pytest.mark.parametrize("name", ["missing", "empty", "file", "nul\0"])
def test_no_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ArchiveError) as caught:
        open_folder(str(tmp_path / name))
    assert caught.value.hint


def test_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path, code in (
        (tmp_path / "fifo", "archive.not-a-file"),
        (tmp_path, "archive.not-a-file"),
        (Path("/dev/null"), "archive.not-a-file"),
        (tmp_path / "none", "archive.not-found"),
        (tmp_path / "nul\0", "archive.io"),
    ):
        with pytest.raises(ArchiveError) as caught:
            FileSource(path)
        assert caught.value.code == code
        assert caught.value.hint


# --- parents --------------------------------------------------------------------------------


def chain(root: Path, *links: tuple[str, str]) -> None:
    for name, target in links:
        (root / name).mkdir(exist_ok=True)
        (root / name / "pages-1.img").write_bytes(name.encode())
        (root / name / "parent").symlink_to(target)


def test_a_chain_of_parents(tmp_path: Path) -> None:
    chain(tmp_path, ("3", "../2"), ("2", str(tmp_path / "1")), ("1", "../0"))
    (tmp_path / "0").mkdir()
    (tmp_path / "0/pages-1.img").write_bytes(b"0")
    before = len(os.listdir("/proc/self/fd"))
    with open_folder(str(tmp_path / "3")) as archive:
        found = []
        here: Archive | None = archive
        while here is not None:
            found.append(here.read("pages-1.img"))
            here = here.parent
        assert found == [b"3", b"2", b"1", b"0"]
        assert archive.parent is archive.parent
        assert archive.damaged == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_parents_in_a_circle(tmp_path: Path) -> None:
    chain(tmp_path, ("a", "../b"), ("b", "../a"))
    with open_folder(str(tmp_path / "a")) as archive:
        parent = archive.parent
        assert parent is not None
        assert parent.parent is None
        assert [(one.part, one.code) for one in parent.damaged] == [("parent", "criu.parent-cycle")]


def test_its_own_parent(tmp_path: Path) -> None:
    chain(tmp_path, ("a", "."))
    with open_folder(str(tmp_path / "a")) as archive:
        assert archive.parent is None
        assert [one.code for one in archive.damaged] == ["criu.parent-cycle"]


@pytest.mark.parametrize("target", ["../gone", "/nowhere/at/all", "pages-1.img"])
def test_a_missing_parent(tmp_path: Path, target: str) -> None:
    chain(tmp_path, ("a", target))
    with open_folder(str(tmp_path / "a")) as archive:
        assert archive.parent is None
        assert archive.parent is None
        assert [one.code for one in archive.damaged] == ["criu.parent-missing"]


def test_too_many_parents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PARENTS", 3)
    chain(tmp_path, *((str(number), f"../{number + 1}") for number in range(6)))
    with open_folder(str(tmp_path / "0")) as archive:
        parents = []
        here = archive.parent
        while here is not None:
            parents.append(here)
            here = here.parent
        assert len(parents) == 2
        assert [one.code for one in parents[-1].damaged] == ["criu.parent-cycle"]


def test_a_parent_folder_is_read_flat(tmp_path: Path) -> None:
    chain(tmp_path, ("a", "../b"))
    (tmp_path / "b/deep").mkdir(parents=True)
    (tmp_path / "b/deep/file").write_bytes(b"")
    with open_folder(str(tmp_path / "a")) as archive:
        assert archive.parent is not None
        assert archive.parent.names() == ["deep"]


def test_the_link_in_a_sub_folder(images: Path) -> None:
    (images / "checkpoint/parent").symlink_to("../pre-checkpoint")
    (images / "pre-checkpoint").mkdir()
    (images / "pre-checkpoint/pages-1.img").write_bytes(b"earlier")
    with open_folder(str(images)) as archive:
        found = archive.parent_of("checkpoint/")
        assert found is not None
        assert found[0].read(found[1] + "pages-1.img") == b"earlier"
        assert archive.parent is found[0]


@pytest.mark.parametrize("text", [b"../b", b"../b\n"])
def test_a_link_that_copying_made_a_file(tmp_path: Path, text: bytes) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "pages-1.img").write_bytes(name.encode())
    (tmp_path / "a/parent").write_bytes(text)
    with open_folder(str(tmp_path / "a")) as archive:
        assert archive.parent is not None
        assert archive.parent.read("pages-1.img") == b"b"


def tar_with_links(samples: Samples, *links: tuple[str, str]) -> bytes:
    import io

    from cryoscope.checkpoint.archive import TarWriter

    buffer = io.BytesIO()
    with TarWriter(buffer) as writer:
        for folder in ("checkpoint", "pre-checkpoint", "pre-2"):
            writer.add(f"{folder}/pages-1.img", folder.encode())
        for name, target in links:
            writer.add_symlink(name, target)
    return buffer.getvalue()


def test_parent_inside_a_tar(samples: Samples, form: str) -> None:
    data = tar_with_links(
        samples, ("checkpoint/parent", "../pre-checkpoint"), ("pre-checkpoint/parent", "../pre-2/")
    )
    with samples.open(samples.packers[form](data)) as archive:
        assert archive.parent_of("checkpoint/") == (archive, "pre-checkpoint/")
        assert archive.parent_of("pre-checkpoint/") == (archive, "pre-2/")
        assert archive.parent_of("pre-2/") is None
        parent = archive.parent
        assert parent is not None
        assert parent.read("pages-1.img") == b"pre-checkpoint"
        assert parent.members["pages-1.img"].name == "pages-1.img"
        with parent.open("pages-1.img") as file:
            assert file.read() == b"pre-checkpoint"
        assert parent.source("pages-1.img").read_at(0, 3) == b"pre"
        assert parent.parent is not None
        assert parent.parent.read("pages-1.img") == b"pre-2"
        assert parent.parent.parent is None
        parent.close()
        assert archive.damaged == []
        assert archive.read("checkpoint/pages-1.img") == b"checkpoint"


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("../gone", "criu.parent-missing"),
        ("../../outside", "criu.parent-missing"),
        ("/etc", "criu.parent-missing"),
        (".", "criu.parent-cycle"),
        ("../pre-checkpoint", "criu.parent-cycle"),
    ],
)
def test_parents_in_a_tar_that_lead_nowhere(samples: Samples, target: str, code: str) -> None:
    links = [("checkpoint/parent", target), ("pre-checkpoint/parent", "../checkpoint")]
    with samples.open(tar_with_links(samples, *links)) as archive:
        assert archive.parent_of("checkpoint/") is None
        assert archive.parent is None
        assert [(one.part, one.code) for one in archive.damaged] == [("checkpoint/parent", code)]


# --- sources --------------------------------------------------------------------------------


def test_an_archive_in_an_archive_in_a_folder(tmp_path: Path, samples: Samples, form: str) -> None:
    inner = samples.packers[form](samples.tar({"etc/passwd": b"root:x"}))
    outer = samples.packers["tar+zstd"](samples.tar({"rootfs-diff.tar": inner}))
    (tmp_path / "checkpoint.tar").write_bytes(outer)
    with (
        open_folder(str(tmp_path)) as folder,
        open_archive(folder.source("checkpoint.tar")) as archive,
        open_archive(archive.source("rootfs-diff.tar")) as diff,
    ):
        assert diff.read("etc/passwd") == b"root:x"
        assert diff.form == form
        assert diff.name.endswith("checkpoint.tar/rootfs-diff.tar")
        assert diff.nesting == 2


def test_archives_in_archives_are_bounded(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    data = samples.tar({"x": b"1"})
    for _ in range(limits.NESTING):
        data = samples.packers["tar+gzip"](samples.tar({"x": data}))
    opened = [samples.open(data)]
    for _ in range(limits.NESTING):
        opened.append(open_archive(opened[-1].source("x")))
    assert opened[-1].read("x") == b"1"
    with pytest.raises(ArchiveError) as caught:
        open_archive(opened[-1].source("x"))
    assert caught.value.code == "limit.nesting"
    with pytest.raises(ArchiveError):
        open_archive(BytesSource(data, "x"), nesting=limits.NESTING + 1)


def test_the_file_object_of_a_member(samples: Samples, form: str) -> None:
    content = bytes(range(256)) * 1000
    with samples.open(samples.packers[form](samples.tar({"m": content}))) as archive:
        with archive.open("m") as file:
            assert file.readable()
            assert file.seekable()
            assert file.read(3) == content[:3]
            assert file.tell() == 3
            file.seek(200_000)
            assert file.read(10) == content[200_000:200_010]
            file.seek(0)
            assert file.read() == content
            assert file.read() == b""
            with pytest.raises(ValueError, match="before"):
                file.seek(-1)
        with pytest.raises(ValueError, match="negative"):
            archive.read_at("m", -1, 5)


def test_a_source_that_fails_midway_ends_the_index(samples: Samples) -> None:
    data = samples.tar({f"f{number}": bytes(3000) for number in range(200)})

    class Bad(BytesSource):
        def read_at(self, offset: int, length: int) -> bytes:
            if offset + length > 300_000:
                raise ArchiveError("bad sector", code="archive.io")
            return super().read_at(offset, length)

    with open_archive(Bad(data, "disk")) as archive:
        assert 10 < len(archive.members) < 200
        assert archive.damaged[0].code == "archive.io"
