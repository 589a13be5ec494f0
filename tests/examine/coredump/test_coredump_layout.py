"""Segments, notes and registers of cores of checkpoints that were made for it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from core_readers import GDBS, complaints, gdb
from core_readers import words as read_words
from core_samples import (
    PAGE,
    core,
    files,
    image,
    made,
    mm,
    notes,
    pagemap,
    process,
    segments,
    tree,
    vma,
    write,
)

from cryoscope import limits
from cryoscope.errors import CryoscopeError, LimitExceeded
from cryoscope.examine.coredump import ready

PRESENT, GUARD, BASE = 4, 0x10201, 0x10000000
WIDTHS = {"ymmh_space": 64, "bndreg_state": 8, "bndcsr_state": 8, "opmask_reg": 8, "zmm_upper": 64}
WIDTHS |= {"hi16_zmm": 128, "pkru": 2}
AVX, MPX, AVX512, PKRU = ["ymmh_space"], ["bndreg_state", "bndcsr_state"], [*WIDTHS][3:6], ["pkru"]


def test_zeros_within_are_holes_and_the_pages_keep_their_places(tmp_path: Path) -> None:
    pages = b"A" * PAGE + b"B" * PAGE
    found = process([vma(BASE, BASE + 4 * PAGE)], [(BASE, 1, PRESENT), (BASE + 2 * PAGE, 1, PRESENT)], pages)
    record, data, damaged = write(found, tmp_path / "core")
    [(flags, offset, start, filled, size)] = segments(data)
    assert (flags, start, filled, size) == (6, BASE, 4 * PAGE, 4 * PAGE)
    assert data[offset:] == b"A" * PAGE + bytes(PAGE) + b"B" * PAGE + bytes(PAGE)
    assert (record.stored, record.missing, damaged) == (2 * PAGE, [], [])
    assert (tmp_path / "core").stat().st_blocks * 512 < len(data)


def test_a_terabyte_of_zeros_takes_no_room_and_gdb_reads_it(tmp_path: Path) -> None:
    far = BASE + (1 << 40)
    found = process(
        [vma(BASE, far + PAGE)], [(BASE, 1, PRESENT), (far, 1, PRESENT)], b"A" * PAGE + b"B" * PAGE
    )
    record, data, _ = write(found, tmp_path / "core")
    assert record.size < 1 << 20
    assert [row[2:] for row in segments(data)] == [(BASE, PAGE, 1 << 40), (far, PAGE, PAGE)]
    values = read_words("host", tmp_path / "core", [BASE, BASE + (1 << 39), far])
    assert values == {BASE: 0x4141414141414141, BASE + (1 << 39): 0, far: 0x4242424242424242}


@pytest.mark.parametrize("which", GDBS)
def test_more_segments_than_the_header_can_count(tmp_path: Path, which: str) -> None:
    count = 66_000
    places = [BASE + index * 2 * PAGE for index in range(count)]
    pages = b"".join(index.to_bytes(8, "little") * (PAGE // 8) for index in range(1, count + 1))
    vmas, rows = [vma(at, at + PAGE) for at in places], [(at, 1, PRESENT) for at in places]
    record, data, _ = write(process(vmas, rows, pages), tmp_path / "core")
    assert record.segments == count == len(segments(data))
    assert complaints(tmp_path / "core") == []
    asked = [places[0], places[65_533], places[65_534], places[65_535], places[-1]]
    assert read_words(which, tmp_path / "core", asked) == {at: (at - BASE) // PAGE // 2 + 1 for at in asked}


@pytest.mark.parametrize("count", [65_533, 65_534, 65_535])
def test_the_number_of_segments_at_the_edge(tmp_path: Path, count: int) -> None:
    places = [BASE + index * 2 * PAGE for index in range(count)]
    found = process([vma(at, at + PAGE) for at in places], [], b"")
    _, data, _ = write(found, tmp_path / "core")
    assert len(segments(data)) == count
    assert struct.unpack_from("<H", data, 56)[0] == min(count + 1, 0xFFFF)
    assert complaints(tmp_path / "core") == []


def test_too_many_segments_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CORE_SEGMENTS", 2)
    found = process([vma(BASE + n * 2 * PAGE, BASE + (n * 2 + 1) * PAGE) for n in range(3)], [], b"")
    with pytest.raises(LimitExceeded, match="more than 2 pieces"):
        write(found, tmp_path / "core")


def test_more_bytes_than_anybody_wants_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CORE_BYTES", PAGE)
    found = process([vma(BASE, BASE + 2 * PAGE)], [(BASE, 2, PRESENT)], b"A" * 2 * PAGE)
    with pytest.raises(LimitExceeded, match="more than 4096 bytes"):
        write(found, tmp_path / "core")


def test_unknown_pages_are_in_no_segment(tmp_path: Path) -> None:
    rows = [(BASE, 1, PRESENT), (BASE + PAGE, 1, 2), (BASE + 2 * PAGE, 1, PRESENT)]
    found = process([vma(BASE, BASE + 3 * PAGE)], rows, b"A" * PAGE + b"B" * PAGE)
    record, data, _ = write(found, tmp_path / "core")
    assert [row[2:] for row in segments(data)] == [(BASE, PAGE, PAGE), (BASE + 2 * PAGE, PAGE, PAGE)]
    [missing] = record.missing
    assert (missing.bytes, missing.code, missing.start) == (PAGE, "lazy", BASE)
    assert read_words("host", tmp_path / "core", [BASE + PAGE]) == {BASE + PAGE: None}


def test_guard_pages_are_no_loss(tmp_path: Path) -> None:
    vmas = [vma(BASE, BASE + 3 * PAGE), vma(BASE + PAGE, BASE + 2 * PAGE, GUARD)]
    record, data, _ = write(process(vmas, [], b""), tmp_path / "core")
    assert [row[2] for row in segments(data)] == [BASE, BASE + 2 * PAGE]
    assert record.missing == []


def test_memory_that_may_be_executed_is_all_there(tmp_path: Path) -> None:
    code = vma(BASE, BASE + 3 * PAGE, prot=7)
    _, data, _ = write(process([code], [(BASE, 3, PRESENT)], b"\xcc" * 3 * PAGE), tmp_path / "core")
    [(flags, offset, _, filled, _)] = segments(data)
    assert (flags, filled, data[offset:]) == (7, 3 * PAGE, b"\xcc" * 3 * PAGE)


def test_a_pages_image_that_ends_early_is_named(tmp_path: Path) -> None:
    found = process([vma(BASE, BASE + 4 * PAGE)], [(BASE, 4, PRESENT)], b"A" * (2 * PAGE + 100))
    record, data, _ = write(found, tmp_path / "core")
    assert [row[2:] for row in segments(data)] == [(BASE, 2 * PAGE, 2 * PAGE)]
    assert [(missing.code, missing.bytes) for missing in record.missing] == [("truncated", 2 * PAGE)]


def test_mappings_off_the_page_are_left_out(tmp_path: Path) -> None:
    record, data, _ = write(process([vma(BASE + 1, BASE + PAGE)], [], b""), tmp_path / "core")
    assert segments(data) == []
    assert record.segments == 0


@pytest.mark.parametrize(
    ("parts", "size", "xcr0"),
    [
        ([], 576, 0x3),
        (AVX, 832, 0x7),
        (AVX + MPX, 1088, 0x1F),
        (AVX + AVX512, 2688, 0xE7),
        (AVX + MPX + AVX512 + PKRU, 2696, 0x2FF),
        (AVX + PKRU, 2696, 0x207),
    ],
)
@pytest.mark.parametrize("which", GDBS)
def test_the_layout_of_the_vector_registers(
    tmp_path: Path, which: str, parts: list[str], size: int, xcr0: int
) -> None:
    xsave: dict[str, Any] = {name: range(100, 100 + WIDTHS[name]) for name in parts}
    found = made_with(core(xsave={name: list(held) for name, held in xsave.items()} | {"xstate_bv": 0xFFFF}))
    _, data, damaged = write(found, tmp_path / "core")
    [area] = [value for kind, value in notes(data) if kind == 0x202]
    assert len(area) == size
    assert struct.unpack_from("<Q", area, 464) == (xcr0,)
    assert struct.unpack_from("<Q", area, 512) == (0xFFFF & xcr0,)
    assert damaged == []
    asked = {"$xmm1.v4_int32[0]": 4, "$xmm15.v4_int32[3]": 63}
    asked |= {"$ymm1.v8_int32[4]": 104, "$ymm15.v8_int32[7]": 163} if AVX[0] in parts else {}
    asked |= (
        {"$k7": 107, "$zmm15.v8_int64[7]": 163, "$zmm31.v8_int64[7]": 227} if "zmm_upper" in parts else {}
    )
    asked |= {"$pkru": 100} if "pkru" in parts else {}
    said = gdb(which, tmp_path / "core", *(f'printf "V %ld\\n", {name}' for name in asked))
    assert [int(line[2:]) for line in said.splitlines() if line.startswith("V ")] == list(asked.values())


def made_with(core_image: bytes) -> Any:
    return process([vma(BASE, BASE + PAGE)], [], b"", core__1_img=core_image)


def test_a_component_that_is_cut_short_is_left_out_and_named(tmp_path: Path) -> None:
    found = made_with(core(xsave={"ymmh_space": [1] * 64, "opmask_reg": [1, 2]}))
    _, data, damaged = write(found, tmp_path / "core")
    [area] = [value for kind, value in notes(data) if kind == 0x202]
    assert struct.unpack_from("<Q", area, 464) == (7,)
    assert [(d.code, "opmask_reg" in d.problem) for d in damaged] == [("core.registers", True)]


def test_a_shadow_stack_has_its_note(tmp_path: Path) -> None:
    found = made_with(core(xsave={"cet": {"cet": 1, "ssp": 0x7F0000001234}}))
    _, data, _ = write(found, tmp_path / "core")
    assert (0x204, struct.pack("<Q", 0x7F0000001234)) in notes(data)


def test_the_notes_are_in_the_order_of_the_kernel(tmp_path: Path) -> None:
    found = made(
        {
            "pstree.img": image("PSTREE", {"pid": 1, "ppid": 0, "pgid": 1, "sid": 1, "threads": [5, 1, 7]}),
            "core-1.img": core(ip=0x11),
            "core-5.img": core(ip=0x55),
            "mm-1.img": mm([vma(BASE, BASE + PAGE)]),
            "pagemap-1.img": pagemap(),
            "pages-1.img": b"",
        }
    )
    record, data, _ = write(found, tmp_path / "core")
    assert [kind for kind, _ in notes(data)] == [3, 1, 2, 0x53494749, 6, 0x46494C45, 1, 2, 0x53494749]
    statuses = [value for kind, value in notes(data) if kind == 1]
    assert [struct.unpack_from("<i", status, 32)[0] for status in statuses] == [1, 5]
    assert [struct.unpack_from("<Q", status, 112 + 16 * 8)[0] for status in statuses] == [0x11, 0x55]
    assert record.threads == 2
    assert any(d.code == "process.core-missing" for d in found.damaged)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"core__1_img": core(mtype=3)}, "core.architecture"),
        ({"core__1_img": core(mode=2)}, "core.compat"),
        ({"core__1_img": b"broken"}, "core.registers"),
        ({"mm__1_img": b"broken"}, "core.memory"),
    ],
)
def test_what_has_no_core_is_told_apart(changed: dict[str, bytes], code: str) -> None:
    found = process([vma(BASE, BASE + PAGE)], [], b"", **changed)
    with pytest.raises(CryoscopeError) as raised:
        ready(found, found.process(1))
    assert raised.value.code == code
    assert raised.value.hint


def test_a_zombie_has_none() -> None:
    task = {"personality": 0, "exit_code": 0, "flags": 0, "blk_sigset": 0, "comm": b"gone", "task_state": 2}
    found = made({"pstree.img": tree((1, 0)), "core-1.img": image("CORE", {"mtype": 1, "tc": task})})
    with pytest.raises(CryoscopeError, match="zombie") as raised:
        ready(found, found.process(1))
    assert raised.value.code == "core.zombie"


def test_names_of_files_are_those_of_the_kernel(tmp_path: Path) -> None:
    mapped = vma(BASE, BASE + PAGE, 0x41, shmid=7, pgoff=2 * PAGE)
    found = process(
        [mapped], [(BASE, 1, PRESENT)], b"A" * PAGE, files_img=files({"id": 7, "name": b"/a\xff b"})
    )
    _, data, _ = write(found, tmp_path / "core")
    [note] = [value for kind, value in notes(data) if kind == 0x46494C45]
    assert note == struct.pack("<QQQQQ", 1, PAGE, BASE, BASE + PAGE, 2) + b"/a\xff b\0"
