"""Damaged checkpoints give an error of ours, or a core with what is left; nothing else, and not for ever."""

from __future__ import annotations

import contextlib
import os
import random
from pathlib import Path

import pytest
from core_samples import PAGE, files, process, vma, write

from cryoscope.checkpoint.archive import BytesSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import CryoscopeError
from cryoscope.examine.coredump import Backing, write_core

TOP = (1 << 64) - PAGE


def changed(data: bytes, seed: int) -> bytes:
    """The archive with a few of its bytes, or a stretch of them, made up."""
    chance = random.Random(seed)
    mutated = bytearray(data)
    for _ in range(chance.randrange(1, 40)):
        at = chance.randrange(len(mutated))
        mutated[at : at + 8] = chance.choice(
            [b"\xff", b"\0" * 8, chance.randbytes(8), b"\x80\x80\x80\x80\x04"]
        )
    return bytes(mutated[: chance.randrange(len(mutated))] if chance.random() < 0.2 else mutated)


def every_core(data: bytes, path: Path) -> None:
    with Checkpoint(open_archive(BytesSource(data, "changed.tar"))) as checkpoint:
        for found in checkpoint.processes:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            with contextlib.suppress(CryoscopeError):
                core = write_core(checkpoint, found.pid, descriptor, Backing(checkpoint), damaged=[])
                assert os.fstat(descriptor).st_size == core.size
            os.close(descriptor)


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_changed_bytes(data: Path, tmp_path: Path, first: int) -> None:
    whole = (data / "containerd-counter.tar").read_bytes()
    for seed in range(first, first + 50):
        with contextlib.suppress(CryoscopeError):
            every_core(changed(whole, seed), tmp_path / "core")


@pytest.mark.parametrize(
    ("mapping", "rows"),
    [
        (vma(0, TOP), [(0, 1 << 50, 4)]),
        (vma(TOP - PAGE, TOP), [(TOP - PAGE, 1, 4)]),
        (vma(PAGE, 1 << 63, 0x41, shmid=9, pgoff=(1 << 64) - PAGE), []),
        (vma(PAGE, 1 << 63, 0x41, shmid=1, pgoff=(1 << 63)), []),
        (vma(PAGE, 1 << 62, 0x4200, shmid=1), []),
        (vma(PAGE, 1 << 62, 0x101, shmid=1), []),
        (vma(PAGE, 9 * PAGE), [(PAGE + 5, 3, 4), (PAGE + 9, 3, 4), (3 * PAGE - 1, 2, 4)]),
    ],
)
def test_impossible_mappings(
    tmp_path: Path, mapping: dict[str, object], rows: list[tuple[int, int, int]]
) -> None:
    described = files({"id": 1, "name": b"/x", "size": PAGE})
    (tmp_path / "x").write_bytes(b"x" * PAGE)
    found = process([mapping], rows, b"A" * 3 * PAGE, files_img=described)
    with contextlib.suppress(CryoscopeError):
        record, _, _ = write(found, tmp_path / "core", rootfs=tmp_path)
        assert record.size < 1 << 30
