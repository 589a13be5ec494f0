"""Cores of real checkpoints: readelf finds nothing wrong, and gdb reads what the images hold."""

from __future__ import annotations

import functools
import os
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from core_readers import GDBS, complaints, gdb, words

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.coredump import Backing, Core, write_core
from cryoscope.workflows.open import open_checkpoint

ARCHIVES = (
    "crio-counter.tar",
    "containerd-counter.tar",
    "containerd-looper.tar",
    "docker-looper",
    "podman-looper-criu41.tar",
    "podman-kitchen-sink.tar.zst",
    "criu-incremental.tar.zst",
    "truncated-by-full-disk.tar",
)
LARGER = (
    "kubelet/crio-counters-redis.tar",
    "kubelet/containerd-counters-redis.tar",
    "podman-threads/checkpoint.tar.zst",
    "podman-counter/checkpoint.tar.zst",
    "podman-looper-runc/checkpoint.tar.zst",
    "criu-incremental/threads-incremental-on-full-1",
)
WITHOUT = {"core.zombie", "core.registers"}
REGISTERS = {
    "rip": "ip",
    "rsp": "sp",
    "eflags": "flags",
    "orig_rax": "orig_ax",
    **{name: name for name in ("fs_base", "gs_base", "cs", "ss", "ds", "es", "fs", "gs")},
    **{f"r{name}": name for name in ("ax", "bx", "cx", "dx", "si", "di", "bp")},
    **{f"r{number}": f"r{number}" for number in range(8, 16)},
}

Written = tuple[Checkpoint, dict[int, tuple[Path, Core]]]


@pytest.fixture(scope="module")
def written(
    tmp_path_factory: pytest.TempPathFactory, data: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[[str], Written]]:
    """All cores of an archive, written once."""
    opened: list[Checkpoint] = []

    @functools.cache
    def write(name: str) -> Written:
        folder = data if name in ARCHIVES else request.getfixturevalue("corpus")
        checkpoint = open_checkpoint(str(folder / name))
        opened.append(checkpoint)
        backing, target = Backing(checkpoint), tmp_path_factory.mktemp("cores")
        return checkpoint, dict(cores(checkpoint, backing, target))

    yield write
    for checkpoint in opened:
        checkpoint.archive.close()


def cores(checkpoint: Checkpoint, backing: Backing, folder: Path) -> Iterator[tuple[int, tuple[Path, Core]]]:
    for process in checkpoint.processes:
        path, damaged = folder / f"core.{process.pid}", list[Damaged]()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            yield (
                process.pid,
                (
                    path,
                    write_core(checkpoint, process.pid, descriptor, backing, damaged=damaged),
                ),
            )
        except CryoscopeError as error:
            assert error.code in WITHOUT  # noqa: PT017
        finally:
            os.close(descriptor)
        assert damaged == []


@pytest.mark.parametrize("name", ARCHIVES + LARGER)
def test_readelf_has_nothing_to_say(written: Callable[[str], Written], name: str) -> None:
    checkpoint, found = written(name)
    alive = [p.pid for p in checkpoint.processes if p.state != "zombie" and p.threads]
    assert list(found) == alive
    for path, _ in found.values():
        assert complaints(path) == []


@pytest.mark.parametrize("which", GDBS)
@pytest.mark.parametrize("name", ARCHIVES + LARGER)
def test_gdb_finds_every_register_of_every_thread(
    written: Callable[[str], Written], name: str, which: str
) -> None:
    checkpoint, found = written(name)
    command = "thread apply all -ascending -q -s printf " + '"T' + " %lx" * len(REGISTERS) + '\\n", '
    for pid, (path, core) in found.items():
        said = gdb(which, path, "info threads", command + ", ".join(f"${name}" for name in REGISTERS))
        tids = [
            int(tid) for tid in re.findall(r"^[* ] +\d+ +(?:LWP|process|Thread).*?(\d+)", said, re.MULTILINE)
        ]
        rows = [
            [int(value, 16) for value in line.split()[1:]] for line in said.splitlines() if line[:2] == "T "
        ]
        assert sorted(tids) == sorted(thread.tid for thread in checkpoint.process(pid).threads)
        assert tids[0] == pid
        assert len(tids) == len(rows) == core.threads
        for tid, row in zip(tids, rows, strict=True):
            assert dict(zip(REGISTERS, row, strict=True)) == general_of(checkpoint, tid)


def general_of(checkpoint: Checkpoint, tid: int) -> dict[str, int]:
    core: Any = checkpoint.images.first(f"core-{tid}.img")
    registers = core.thread_info.gpregs
    return {
        name: getattr(registers, field) & MASKS.get(name, (1 << 64) - 1) for name, field in REGISTERS.items()
    }


MASKS = {"eflags": 0xFFFFFFFF, **dict.fromkeys(("cs", "ss", "ds", "es", "fs", "gs"), 0xFFFFFFFF)}
"""What gdb takes of the registers that are narrower than their places."""


@pytest.mark.parametrize("which", GDBS)
@pytest.mark.parametrize("name", ARCHIVES[:2] + LARGER[:1])
def test_gdb_finds_the_vector_registers(written: Callable[[str], Written], name: str, which: str) -> None:
    checkpoint, found = written(name)
    asked = [f"$xmm{n}.v2_int64[{i}]" for n in range(16) for i in (0, 1)]
    asked += [f"$ymm{n}.v4_int64[{i}]" for n in range(16) for i in (2, 3)]
    asked += [f"$zmm{n}.v8_int64[{i}]" for n in range(16) for i in (4, 5, 6, 7)]
    asked += [f"$zmm{n}.v8_int64[{i}]" for n in range(16, 32) for i in range(8)]
    asked += [f"$k{n}" for n in range(8)] + ["$pkru", "$mxcsr", "$fctrl"]
    for pid, (path, _) in found.items():
        said = gdb(which, path, *(f'printf "V %lx\\n", {expression}' for expression in asked))
        values = [int(line.split()[1], 16) for line in said.splitlines() if line.startswith("V ")]
        assert values == vectors_of(checkpoint, pid)


def vectors_of(checkpoint: Checkpoint, pid: int) -> list[int]:
    """As the image has them; what the processor had in its initial state (not in xstate_bv) reads as that."""
    core: Any = checkpoint.images.first(f"core-{pid}.img")
    fp = core.thread_info.fpregs
    on = fp.xsave.xstate_bv

    def wide(words: Any, bit: int) -> list[int]:
        data = struct.pack(f"<{len(words)}I", *words)
        return [value if on & bit else 0 for value in struct.unpack(f"<{len(data) // 8}Q", data)]

    lanes = [value if on & 64 else 0 for value in fp.xsave.zmm_upper]
    high = [value if on & 128 else 0 for value in fp.xsave.hi16_zmm]
    masks = [value if on & 32 else 0 for value in fp.xsave.opmask_reg]
    rest = [fp.xsave.pkru[0] if on & 512 else 0, fp.mxcsr if on & 6 else 0x1F80, fp.cwd if on & 1 else 0x37F]
    return wide(fp.xmm_space, 2) + wide(fp.xsave.ymmh_space, 4) + lanes + high + masks + rest


@pytest.mark.parametrize("which", GDBS)
@pytest.mark.parametrize("name", ARCHIVES + LARGER)
def test_gdb_reads_the_memory_that_there_is_and_no_other(
    written: Callable[[str], Written], name: str, which: str
) -> None:
    checkpoint, found = written(name)
    for pid, (path, core) in found.items():
        space = checkpoint.memory(pid)
        assert space is not None
        filled = [range(part.start, part.end) for part in core.filled]
        wanted = {
            at: word
            for at, word in samples(space)
            if at < 1 << 63 and not (word is None and any(at in range_ for range_ in filled))
        }
        assert wanted.items() == words(which, path, list(wanted)).items()


def samples(space: Any) -> Iterator[tuple[int, int | None]]:
    """A word at the edges and in the middle of each run of pages; None where nobody has it."""
    for vma in space.vmas:
        for run in space.runs(vma.start, vma.size):
            for at in {run.start, run.start + run.length // 16 * 8, run.start + run.length - 8}:
                try:
                    page = space.read(at & -4096, 4096)  # half a page is none
                    yield at, int.from_bytes(page[at & 4095 :][:8], "little")
                except CryoscopeError:
                    yield at, None


@pytest.mark.parametrize("which", GDBS)
@pytest.mark.parametrize("name", ARCHIVES + LARGER)
def test_gdb_shows_the_auxiliary_vector_and_the_files(
    written: Callable[[str], Written], name: str, which: str
) -> None:
    checkpoint, found = written(name)
    for pid, (path, _) in found.items():
        said = gdb(which, path, "info auxv", "info proc mappings")
        mm: Any = checkpoint.images.first(f"mm-{pid}.img")
        pairs = dict(zip(mm.mm_saved_auxv[::2], mm.mm_saved_auxv[1::2], strict=True))
        shown = dict(
            re.findall(r"^(\d+) +(?:AT_\w+|\?\?\?) .*?(0x[0-9a-f]+|\d+)(?: [\"<].*)?$", said, re.MULTILINE)
        )
        assert {int(kind): int(value, 0) for kind, value in shown.items()} == pairs | {0: 0}
        space = checkpoint.memory(pid)
        assert space is not None
        expected = [(v.start, v.end, v.offset) for v in space.vmas if v.path is not None]
        rows = re.findall(r"^ *(0x[0-9a-f]+) +(0x[0-9a-f]+) +0x[0-9a-f]+ +(0x[0-9a-f]+)", said, re.MULTILINE)
        assert [tuple(int(value, 16) for value in row) for row in rows] == expected


def test_what_gdb_would_open_is_said_by_the_process_itself(written: Callable[[str], Written]) -> None:
    _, found = written("podman-kitchen-sink.tar.zst")
    said = gdb("host", found[2][0])
    assert "Core was generated by `python3 /srv/kitchen.py tcp lock'" in said
    assert "terminated" not in said
