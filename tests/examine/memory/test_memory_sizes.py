"""`memory`: its sums are those of the mappings, and of the pages images."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cryoscope.examine.memory.sizes import Sizes, memory_of, stored_in, total
from cryoscope.workflows.open import open_checkpoint
from tests.conftest import Run

NAMES = ("crio-counter.tar", "podman-kitchen-sink.tar.zst", "docker-looper", "podman-looper-criu41.tar")
GROUPS = ("anonymous", "heap", "stack", "file", "shared", "other")
STATES = ("dumped", "parent", "zero", "file_only", "lazy", "unknown")


@pytest.mark.parametrize("name", NAMES)
def test_sums(data: Path, name: str) -> None:
    with open_checkpoint(str(data / name)) as checkpoint:
        found = memory_of(checkpoint, (), vmas=True)
        stored = stored_in(checkpoint)
    for process in found:
        sizes = process.sizes
        assert sum(getattr(sizes, group) for group in GROUPS) == sizes.mapped
        assert sum(getattr(sizes, state) for state in STATES) == sizes.mapped
        assert sizes.missing == sizes.file_only + sizes.lazy + sizes.unknown
        for field in ("mapped", *STATES):
            each = [getattr(vma, "size" if field == "mapped" else field) for vma in process.vmas]
            assert sum(each) == getattr(sizes, field)
    assert stored.private + stored.shared == stored.pages_images > 0
    dumped = sum(process.sizes.dumped for process in found)
    assert dumped >= stored.pages_images


def test_shared_objects_are_stored_once(data: Path) -> None:
    with open_checkpoint(str(data / "podman-kitchen-sink.tar.zst")) as checkpoint:
        found = memory_of(checkpoint, (), vmas=True)
        stored = stored_in(checkpoint)
    objects = {
        vma.shared_object: vma.dumped
        for process in found
        for vma in process.vmas
        if vma.shared_object is not None
    }
    assert stored.shared >= sum(objects.values()) > 0
    shown = sum(vma.dumped for process in found for vma in process.vmas if vma.shared_object is not None)
    assert shown == 3 * sum(objects.values())
    assert sum(process.sizes.dumped for process in found) - shown == stored.private


def test_nothing_adds_up_to_nothing() -> None:
    assert total([]) == Sizes()


def test_the_command(cryoscope: Run, data: Path) -> None:
    archive = data / "podman-kitchen-sink.tar.zst"
    [part] = json.loads(cryoscope("memory", "-f", "json", archive).stdout)["archives"]
    assert [process["pid"] for process in part["processes"]] == [1, 2, 3, 5]
    assert part["total"]["mapped"] == sum(process["sizes"]["mapped"] for process in part["processes"])
    assert "vmas" not in part["processes"][0]
    [part] = json.loads(cryoscope("memory", "-f", "json", "-p", "2", "--vmas", archive).stdout)["archives"]
    assert [process["pid"] for process in part["processes"]] == [2]
    assert part["processes"][0]["vmas"][0]["start"] == "0x400000"
    table = cryoscope("memory", archive).stdout.decode().splitlines()
    assert table[0].split()[:3] == ["PID", "COMM", "MAPPED"]
    assert table[5].startswith("all")
    assert cryoscope("memory", "--vmas", archive).returncode == 0
    assert cryoscope("memory", "-p", "99", archive).returncode == 2


def test_damage(cryoscope: Run, data: Path) -> None:
    assert cryoscope("memory", data / "truncated-by-full-disk.tar").returncode == 3
