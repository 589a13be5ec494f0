"""`diff` over real checkpoints: one beside itself, beside its compressed form, beside the next one."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import pytest
from diff_samples import compared, told

from cryoscope.examine.diff.records import Pages

SHIPPED = (
    "containerd-counter.tar",
    "containerd-looper.tar",
    "crio-counter.tar",
    "criu-incremental.tar.zst",
    "ctr-image.tar",
    "docker-looper",
    "podman-image.oci.tar",
    "podman-kitchen-sink.tar.zst",
    "podman-looper-criu41.tar",
    "podman-looper-crun.tar",
    "podman-looper-crun.tar.gz",
    "truncated-by-full-disk.tar",
)
IN_CORPUS = (
    "criu-incremental/threads-full-1",
    "criu-incremental/threads-incremental-on-full-1",
    "kubelet/containerd-counters-redis.tar",
    "podman-counter/checkpoint.tar.zst",
    "podman-looper-runc/checkpoint.tar.zst",
    "podman-threads/checkpoint.tar.zst",
)


def same(old: Path | bytes, new: Path | bytes) -> Pages:
    """Holds that there is no difference; the pages."""
    found = compared(old, new)
    assert told(found) == set()
    assert not found.diff.different
    assert found.diff.memory is not None
    total = found.diff.memory.total
    assert (total.changed, total.new, total.gone) == (0, 0, 0)
    assert total.equal > 0
    assert {one.by for one in found.diff.matched} <= {"start", "zombie"}
    return total


@pytest.mark.parametrize("name", SHIPPED)
def test_a_checkpoint_is_as_itself(name: str, data: Path) -> None:
    total = same(data / name, data / name)
    assert (total.unknown > 0) == name.startswith("truncated")


@pytest.mark.parametrize("name", IN_CORPUS)
def test_a_checkpoint_of_the_corpus_is_as_itself(name: str, corpus: Path) -> None:
    assert same(corpus / name, corpus / name).unknown == 0


@pytest.mark.parametrize("name", [name for name in SHIPPED if name.endswith(".tar") and "oci" not in name])
def test_a_plain_archive_is_as_its_compressed_form(name: str, data: Path) -> None:
    plain = (data / name).read_bytes()
    same(plain, gzip.compress(plain, 1))
    same(gzip.compress(plain, 1), plain)


def test_pages_of_a_compressed_archive_are_counted_as_of_the_plain_one(data: Path, tmp_path: Path) -> None:
    packed = data / "criu-incremental.tar.zst"
    plain = subprocess.run(["zstd", "-dqc", packed], capture_output=True, check=True).stdout
    assert same(plain, plain) == same(packed, plain) == same(packed, packed)


def test_two_checkpoints_of_one_container(data: Path) -> None:
    """A shell that counts, one second later (see the README beside the archives)."""
    found = compared(data / "podman-looper-crun.tar", data / "podman-looper-crun.tar.gz")
    assert told(found) == {
        ("processes", "added", "process", None),
        ("processes", "removed", "process", None),
        ("files", "changed", "/log", "size"),
        ("files", "changed", "/log", "mtime"),
        ("files", "changed", "/log", "sha256"),
    }
    new, gone = found.diff.differences[:2]
    assert (new.pid, new.new, gone.pid, gone.old) == (14, ["sleep", "1"], 12, ["sleep", "1"])
    assert [(one.pid, one.by) for one in found.diff.matched] == [(1, "start")]
    assert found.diff.memory is not None
    (shell,) = found.diff.memory.processes
    assert [(one.kind, one.pages.changed) for one in shell.mappings] == [("heap", 1), ("stack", 2)]


def test_an_incremental_dump_beside_its_full_one(corpus: Path) -> None:
    """24 of 957 pages were dumped anew; the others are the parent's, and equal by that."""
    folder = corpus / "criu-incremental"
    found = compared(folder / "threads-full-1", folder / "threads-incremental-on-full-1")
    assert found.diff.memory is not None
    total = found.diff.memory.total
    assert total.equal + total.changed + total.gone == 957
    assert 0 < total.changed + total.new <= 24
    assert total.unknown == 0
    assert [one.by for one in found.diff.matched] == ["start"]


def test_other_containers_are_matched_by_what_they_run(data: Path) -> None:
    """The same pod on two nodes with two engines: nothing lies where it lay, and a note says so."""
    found = compared(data / "containerd-counter.tar", data / "crio-counter.tar")
    assert {(one.pid_before, one.pid, one.by) for one in found.diff.matched} == {
        (1, 1, "command"),
        (9, 9, "command"),
        (78, 78, "command"),
    }
    assert found.diff.memory is not None
    assert found.diff.memory.processes == []
    assert any("matched by program" in note for note in found.diff.notes)
    assert any("two engines" in note for note in found.diff.notes)
    of_processes = {one for one in told(found) if one[0] in ("processes", "environment")}
    assert of_processes == {("environment", "added", "TERM", None)}  # CRI-O sets it


def test_what_a_cut_archive_does_not_say_is_unknown_and_not_gone(data: Path) -> None:
    """The same container an hour later, of which a full disk left a part."""
    found = compared(data / "containerd-counter.tar", data / "truncated-by-full-disk.tar")
    changes = {change for aspect, change, *_ in told(found) if aspect != "metadata"}
    assert "removed" not in changes
    assert {d.pid for d in found.diff.differences if d.aspect == "processes" and d.change == "unknown"} >= {
        9,
        78,
    }
    assert found.diff.memory is not None
    assert found.diff.memory.total.gone == 0
    assert found.diff.memory.total.unknown > 0
    back = compared(data / "truncated-by-full-disk.tar", data / "containerd-counter.tar")
    assert "added" not in {change for aspect, change, *_ in told(back) if aspect != "metadata"}
    assert back.diff.memory is not None
    assert back.diff.memory.total.new == 0
