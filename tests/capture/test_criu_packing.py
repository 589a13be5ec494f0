"""The images of a dump while they are packed: given back, or kept where they are all that is left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cryoscope.checkpoint.archive import FileSource, open_archive
from cryoscope.engines.criu.packing import Packer, Vanishing
from cryoscope.engines.host import Host
from cryoscope.workflows.sink import Sink

PAGES = os.urandom(1 << 20)


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """A folder as `criu dump` leaves it."""
    for name in ("images", "work"):
        (tmp_path / "dump" / name).mkdir(parents=True)
    (tmp_path / "dump/work/dump.log").write_text("(00.1) Dumping finished successfully\n")
    (tmp_path / "dump/images/pages-1.img").write_bytes(PAGES)
    (tmp_path / "dump/images/inventory.img").write_bytes(b"x" * 40)
    return tmp_path / "dump"


@pytest.mark.parametrize("keep", [False, True])
def test_images_go_when_they_are_written_unless_they_are_all_that_is_left(
    keep: bool, dump: Path, tmp_path: Path
) -> None:
    with Sink(str(tmp_path / "a.tar")) as sink:
        Packer(Host(None), str(dump), sink, keep=keep).pack({"pid": 1}, 0)
        sink.finish()
    left = dump / "images/pages-1.img"
    assert left.exists() == keep
    assert not keep or left.read_bytes() == PAGES
    with open_archive(FileSource(str(tmp_path / "a.tar"))) as archive:
        assert list(archive.members)[1:] == ["dump.log", "checkpoint/inventory.img", "checkpoint/pages-1.img"]
        assert archive.read("checkpoint/pages-1.img") == PAGES


def test_a_file_takes_no_room_as_far_as_it_was_read(dump: Path) -> None:
    path = dump / "images/pages-1.img"
    descriptor = os.open(path, os.O_RDWR)
    try:
        before, file = os.fstat(descriptor).st_blocks, Vanishing(descriptor)
        assert file.read(1 << 19) == PAGES[: 1 << 19]
        after = os.fstat(descriptor)
        if after.st_blocks == before:
            pytest.skip("this file system cannot give back a part of a file")
        assert after.st_blocks <= before * 0.6
        assert after.st_size == len(PAGES)
        assert file.read(len(PAGES)) == PAGES[1 << 19 :]
        assert file.read(1) == b""
    finally:
        os.close(descriptor)
