"""Incremental dumps: pages that lie in the parent checkpoint, and a parent that is gone."""

from __future__ import annotations

import io
import shutil
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from built_samples import PAGE, core, image, made, mm, pagemap, tree, vma

from cryoscope.checkpoint.archive import open_folder
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.memory import AddressSpace
from cryoscope.errors import MemoryMissing
from cryoscope.workflows.open import open_checkpoint

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PID = 641
SAFELY: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # not in 3.11.2
PARENT, PRESENT = 1, 4


@pytest.fixture(scope="module")
def folder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive unpacked: checkpoint/ with its `parent` link, and pre-checkpoint/."""
    target = tmp_path_factory.mktemp("incremental")
    raw = zstd.decompress((data / "criu-incremental.tar.zst").read_bytes())
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        tar.extractall(target, **SAFELY)
    return target


def space_of(checkpoint: Checkpoint) -> AddressSpace:
    found = checkpoint.memory(PID)
    assert found is not None
    return found


def pages(space: AddressSpace, *states: str) -> Iterator[tuple[int, bytes]]:
    for mapped in space.vmas:
        for run in space.runs(mapped.start, mapped.size):
            if run.state in states:
                data = space.read(run.start, run.length)
                yield from ((run.start + at, data[at : at + PAGE]) for at in range(0, run.length, PAGE))


@pytest.fixture(params=["archive", "folder", "folder of both"])
def child(request: pytest.FixtureRequest, data: Path, folder: Path) -> Iterator[Checkpoint]:
    places = {
        "archive": data / "criu-incremental.tar.zst",
        "folder": folder / "checkpoint",
        "folder of both": folder,
    }
    with open_checkpoint(str(places[request.param]), stacks=True) as checkpoint:
        yield checkpoint


@pytest.fixture
def full(folder: Path) -> Iterator[Checkpoint]:
    with Checkpoint(open_folder(str(folder / "pre-checkpoint"))) as checkpoint:
        yield checkpoint


def test_pages_of_the_parent_byte_for_byte(child: Checkpoint, full: Checkpoint) -> None:
    whole = dict(pages(space_of(full), "dumped"))
    inherited = dict(pages(space_of(child), "parent"))
    own = dict(pages(space_of(child), "dumped"))
    assert len(whole) == 957
    assert (len(own), len(inherited)) == (24, 957 - 24)
    assert inherited == {at: whole[at] for at in inherited}
    assert set(own) | set(inherited) == set(whole)
    assert any(own[at] != whole[at] for at in own)
    assert child.damaged == []


def test_places_in_the_parent(child: Checkpoint, full: Checkpoint) -> None:
    """A page that is inherited is said to lie in the parent's image, where its bytes are."""
    space = space_of(child)
    runs = [run for mapped in space.vmas for run in space.runs(mapped.start, mapped.size)]
    inherited = [run for run in runs if run.state == "parent"]
    assert {(run.member or "").rpartition("/")[2] for run in inherited} == {"pages-1.img"}
    own = {run.member for run in runs if run.state == "dumped"}
    for run in inherited:
        assert full.archive.read_at("pages-1.img", run.offset, run.length) == space.read(
            run.start, run.length
        )
    assert len(own) == 1


def test_processes_of_an_incremental_dump(child: Checkpoint) -> None:
    (process,) = child.processes
    assert (process.pid, process.cmdline) == (PID, ["python3", "/srv/threads.py"])
    assert [thread.comm for thread in process.threads[1:]] == [f"worker-{n}" for n in range(8)]
    assert ("IS_SANDBOX", "yes") in [(v.name, v.value) for v in child.environment(PID) or []]


def test_parent_removed(folder: Path, tmp_path: Path) -> None:
    """Its pages are unknown, not zero; that the link leads nowhere is named; the rest can be read."""
    shutil.copytree(folder / "checkpoint", tmp_path / "checkpoint", symlinks=True)
    with open_checkpoint(str(tmp_path / "checkpoint")) as checkpoint:
        space = space_of(checkpoint)
        (process,) = checkpoint.processes
        assert (process.comm, process.cmdline) == ("python3", None)
        assert sum(mapped.parent for mapped in space.vmas) == 0
        assert len(list(pages(space, "dumped"))) == 24
        lost = sum(
            mapped.unknown for mapped in space.vmas if mapped.kind not in ("guard", "vvar", "vsyscall")
        )
        guards = sum(mapped.kind == "guard" for mapped in space.vmas)
        assert lost - guards == 957 - 24
        codes = {damaged.code for damaged in checkpoint.damaged}
        assert {"criu.parent-missing", "memory.unknown"} <= codes


def chain(length: int) -> Checkpoint:
    """Each checkpoint holds one page of its own, of all others its parent; the last holds them all."""
    files, links = {}, {}
    for number in range(length):
        place = "checkpoint/" if number == 0 else f"pre{number}/"
        last = number == length - 1
        rows = [(page * PAGE, 1, PRESENT if last or page == number else PARENT) for page in range(length)]
        held = range(length) if last else [number]
        files[place + "inventory.img"] = image("INVENTORY", {"img_version": 2})
        files[place + "pagemap-1.img"] = pagemap(*rows)
        files[place + "pages-1.img"] = b"".join(bytes([page + 1]) * PAGE for page in held)
        if not last:
            links[place + "parent"] = f"../pre{number + 1}"
    files["checkpoint/pstree.img"] = tree((1, 0))
    files["checkpoint/core-1.img"] = core()
    files["checkpoint/mm-1.img"] = mm([vma(0, length * PAGE)])
    return made(files, links)


def test_a_chain_of_parents() -> None:
    checkpoint = chain(20)
    space = checkpoint.memory(1)
    assert space is not None
    assert space.read(0, 20 * PAGE) == b"".join(bytes([page + 1]) * PAGE for page in range(20))
    assert [run.state for run in space.runs(0, 20 * PAGE)] == ["dumped"] + ["parent"] * 19


def test_a_chain_that_never_ends_is_named() -> None:
    checkpoint = chain(70)
    space = checkpoint.memory(1)
    assert space is not None
    assert space.read(0, PAGE) == b"\x01" * PAGE
    with pytest.raises(MemoryMissing) as missing:
        space.read(PAGE, PAGE)
    assert missing.value.code == "memory.unknown"
    assert "criu.parent-cycle" in {damaged.code for damaged in checkpoint.damaged}


def test_a_run_split_over_the_parents_entries() -> None:
    files = {
        "checkpoint/pstree.img": tree((1, 0)),
        "checkpoint/core-1.img": core(),
        "checkpoint/mm-1.img": mm([vma(0x1000, 0x6000)]),
        "checkpoint/pagemap-1.img": pagemap((0x1000, 5, PARENT)),
        "before/inventory.img": image("INVENTORY", {"img_version": 2}),
        "before/pagemap-1.img": pagemap((0x0, 2, PRESENT), (0x3000, 1, PRESENT), (0x5000, 9, PRESENT)),
        "before/pages-1.img": b"".join(letter * PAGE for letter in (b"x", b"a", b"c", b"e", *[b"y"] * 8)),
    }
    space = made(files, {"checkpoint/parent": "../before"}).memory(1)
    assert space is not None
    assert [(run.start, run.length, run.state) for run in space.runs(0x1000, 0x5000)] == [
        (0x1000, 0x1000, "parent"),
        (0x2000, 0x1000, "unknown"),
        (0x3000, 0x1000, "parent"),
        (0x4000, 0x1000, "unknown"),
        (0x5000, 0x1000, "parent"),
    ]
    assert b"".join(space.read(at, PAGE) for at in (0x1000, 0x3000, 0x5000)) == b"".join(
        letter * PAGE for letter in (b"a", b"c", b"e")
    )
