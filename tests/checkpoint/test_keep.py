"""One pass over a compressed archive is enough for command lines and environments."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
from built_samples import PAGE, core, image, mm, pagemap, tar, tree, vma

from cryoscope import limits
from cryoscope.checkpoint.archive import ByteSource, BytesSource, FileSource, Keep, open_archive
from cryoscope.checkpoint.archive.header import BLOCK
from cryoscope.checkpoint.archive.seek_table import FOOTER
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.keep import StackEnds

TOLD = BLOCK + FOOTER.size
"""The first block tells what it is, the last bytes whether zstd has a table of its frames."""

COMPRESSED = [
    "podman-kitchen-sink/checkpoint.tar.zst",
    "podman-looper-crun/checkpoint.tar.gz",
    "podman-looper-crun/checkpoint.tar.zst",
    "podman-looper-runc/checkpoint.tar.zst",
    "podman-counter/checkpoint.tar.zst",
    "podman-threads/checkpoint.tar.zst",
]


class Counting:
    """A source that counts the bytes it gave."""

    def __init__(self, source: ByteSource) -> None:
        self.name, self.size = source.name, source.size
        self.given = 0
        self._source = source

    def read_at(self, offset: int, length: int) -> bytes:
        data = self._source.read_at(offset, length)
        self.given += len(data)
        return data

    def fingerprint(self) -> str | None:
        return None

    def close(self) -> None:
        self._source.close()


def asked_of_all(source: ByteSource, keep: Keep | None) -> tuple[int, dict[int, str]]:
    """Bytes that were read to tell all processes, command lines and environments; what they say."""
    counting = Counting(source)
    with Checkpoint(open_archive(counting, keep=keep)) as checkpoint:
        found = {
            process.pid: f"{process.cmdline} {checkpoint.environment(process.pid)}"
            for process in checkpoint.processes
        }
        assert checkpoint.damaged == []
    return counting.given, found


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for an archive far larger than what is kept of it: no pages image is kept whole."""
    monkeypatch.setattr(limits, "KEPT_MEMBER", 96 * limits.KIB)
    monkeypatch.setattr(limits, "KEPT_TOTAL", 2 * limits.MIB)


@pytest.mark.parametrize("name", COMPRESSED)
def test_one_pass(beside: Callable[[str], Path], tight: None, name: str) -> None:
    path = beside(name)
    given, found = asked_of_all(FileSource(path), StackEnds())
    assert given <= path.stat().st_size + TOLD
    assert asked_of_all(FileSource(path), None)[1] == found


def test_one_pass_of_an_incremental_one(data: Path, tight: None) -> None:
    """The stack lies in the parent, in the same archive."""
    path = data / "criu-incremental.tar.zst"
    given, found = asked_of_all(FileSource(path), StackEnds())
    assert given <= path.stat().st_size + TOLD
    assert "IS_SANDBOX" in found[641]


def test_without_it_the_sink_takes_more(beside: Callable[[str], Path], tight: None) -> None:
    path = beside("podman-kitchen-sink/checkpoint.tar.zst")
    given, _ = asked_of_all(FileSource(path), None)
    assert given > path.stat().st_size + BLOCK


ARGUMENTS, ENVIRONMENT = b"made\0--for\0test\0", b"A=1\0B=2\0"
MIDDLE = 700 * PAGE


def large(order: str = "maps first") -> bytes:
    """A tar whose pages are random but for a stack in their middle."""
    from random import Random

    pages = bytearray(Random(7).randbytes(1024 * PAGE))
    pages[MIDDLE + 100 : MIDDLE + 100 + len(ARGUMENTS + ENVIRONMENT)] = ARGUMENTS + ENVIRONMENT
    base = 0x100000
    start = base + MIDDLE + 100
    middle, end = start + len(ARGUMENTS), start + len(ARGUMENTS + ENVIRONMENT)
    numbers = {"mm_arg_start": start, "mm_arg_end": middle, "mm_env_start": middle, "mm_env_end": end}
    maps = {
        "checkpoint/mm-1.img": mm([vma(base, base + 1024 * PAGE)], **numbers),
        "checkpoint/pagemap-1.img": pagemap((base, 1024, 4)),
    }
    files = {
        "checkpoint/inventory.img": image("INVENTORY", {"img_version": 2}),
        "checkpoint/core-1.img": core(),
        "checkpoint/pstree.img": tree((1, 0)),
    }
    held = {"checkpoint/pages-1.img": bytes(pages)}
    if order == "pre-dump":
        inherited = {"checkpoint/pagemap-1.img": pagemap((base, 1024, 1))}
        before = {
            name.replace("checkpoint/", "pre-checkpoint/"): data for name, data in (maps | held).items()
        }
        del before["pre-checkpoint/mm-1.img"]
        return tar(files | maps | inherited | before, {"checkpoint/parent": "../pre-checkpoint"})
    return tar(held | files | maps if order == "pages first" else files | maps | held)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda data: gzip.compress(data, 1),
    "bz2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
}


@pytest.mark.parametrize("packer", PACKERS)
def test_one_pass_in_every_form(tight: None, packer: str) -> None:
    data = PACKERS[packer](large())
    given, found = asked_of_all(BytesSource(data, "made"), StackEnds())
    assert given <= len(data) + BLOCK
    assert "'made', '--for', 'test'" in found[1]
    assert "name='B', value='2'" in found[1]
    assert asked_of_all(BytesSource(data, "made"), None)[0] > len(data) + BLOCK


def test_one_pass_with_a_pre_dump(tight: None) -> None:
    """As Podman writes it: pages and page maps only, behind the checkpoint that builds on them."""
    data = gzip.compress(large("pre-dump"), 1)
    given, found = asked_of_all(BytesSource(data, "made"), StackEnds())
    assert given <= len(data) + BLOCK
    assert "'made', '--for', 'test'" in found[1]


def test_pages_before_their_page_map_cost_a_second_pass_and_are_right(tight: None) -> None:
    """No engine writes in this order."""
    data = gzip.compress(large("pages first"), 1)
    given, found = asked_of_all(BytesSource(data, "made"), StackEnds())
    assert len(data) + BLOCK < given
    assert "'made', '--for', 'test'" in found[1]


def test_hostile_images_while_streaming(tight: None) -> None:
    """What cannot be read keeps nothing, and never ends the pass."""
    claims = {"mm_arg_start": 0, "mm_arg_end": 1 << 62, "mm_env_start": 5, "mm_env_end": 1}
    for images in (
        {"checkpoint/mm-1.img": b"nonsense"},
        {"checkpoint/mm-1.img": mm([], **claims), "checkpoint/pagemap-1.img": pagemap((0, 9, 4))},
        {"checkpoint/pagemap-x.img": pagemap((0, 9, 4)), "checkpoint/pagemap-1.img": b"\0" * 99},
        {"checkpoint/pagemap-shmem-1.img": pagemap((0, 9, 4))},
    ):
        start = {"checkpoint/inventory.img": image("INVENTORY", {"img_version": 2})}
        end = {"checkpoint/pages-1.img": b"p" * (1 << 20), "config.dump": b'{"id": "behind"}'}
        data = gzip.compress(tar(start | images | end))
        with Checkpoint(open_archive(BytesSource(data, "made"), keep=StackEnds())) as checkpoint:
            assert checkpoint.container.id == "behind"
