"""`hexdump` draws as xxd does, and says what is missing."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoscope.examine.memory.reading import REASONS, Piece, joined
from cryoscope.report.memory import hexdump
from cryoscope.workflows.open import open_checkpoint
from tests.conftest import Run

VDSO, STACK = "7f80f1e3d000", "7ffef50d4000"
BYTES = st.lists(
    st.one_of(st.integers(1, 90).map(bytes), st.binary(min_size=1, max_size=40)), max_size=8
).map(b"".join)


def xxd(data: bytes, start: int) -> list[str]:
    program = shutil.which("xxd")
    if program is None:
        pytest.skip("xxd is not here")
    command = [program, "-a", "-o", str(start)]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    return done.stdout.decode().splitlines()


def pieces(data: bytes, start: int, cuts: list[int]) -> list[Piece]:
    """The bytes in pieces, those of zeros alone without bytes."""
    ends = sorted({cut for cut in cuts if 0 < cut < len(data)} | {len(data)})
    found, low = [], 0
    for high in ends:
        part = data[low:high]
        known = memoryview(part) if part.strip(b"\0") else None
        if part:
            found.append(Piece(start + low, len(part), "dumped" if known is not None else "zero", known))
        low = high
    return found


@given(
    BYTES, st.sampled_from([0, 16, 0x7FFD_0000_0003, 0xFFFF_FFFF_FF60_0000]), st.lists(st.integers(0, 300))
)
def test_as_xxd(data: bytes, start: int, cuts: list[int]) -> None:
    drawn = list(hexdump(pieces(data, start, cuts), REASONS))
    if start < 1 << 63:
        assert drawn == xxd(data, start)
    else:
        assert len(drawn) == len(xxd(data, 0))


def test_a_terabyte_of_zeros_is_three_lines() -> None:
    drawn = list(hexdump([Piece(0, 1 << 40, "zero")], REASONS))
    assert [line.partition(":")[0] for line in drawn] == ["00000000", "*", "fffffffff0"]


def test_what_is_missing_is_named_and_begins_a_new_line() -> None:
    given_pieces = [
        Piece(0x1000, 3, "dumped", memoryview(b"abc")),
        Piece(0x1003, 5, "file"),
        Piece(0x1008, 2, "dumped", memoryview(b"de")),
    ]
    assert list(hexdump(given_pieces, REASONS)) == [
        "00001000: 6162 63                                  abc",
        "00001003: -- 5 bytes missing: a page that only the mapped file holds",
        "00001008: 6465                                     de",
    ]


def test_neighbours_that_lack_bytes_alike_are_one() -> None:
    found = list(joined([Piece(0, 1, "file"), Piece(1, 2, "file"), Piece(3, 1, "lazy"), Piece(4, 1, "zero")]))
    assert [(one.start, one.length, one.state) for one in found] == [
        (0, 3, "file"),
        (3, 1, "lazy"),
        (4, 1, "zero"),
    ]


@pytest.mark.parametrize("size", [f"{VDSO}+2K", f"{STACK}-7ffef50f5000", "5f6000-5fd000"])
def test_of_a_checkpoint(cryoscope: Run, data: Path, size: str) -> None:
    asked = ("hexdump", data / "crio-counter.tar", "-p", "1", "--address", size)
    raw = cryoscope(*asked, "--raw")
    assert raw.returncode == 0
    start = int(size.partition("+")[0].partition("-")[0], 16)
    assert cryoscope(*asked).stdout.decode().splitlines() == xxd(raw.stdout, start)


def test_json_has_the_bytes_and_where_they_lie(cryoscope: Run, data: Path) -> None:
    done = cryoscope(
        "hexdump", data / "crio-counter.tar", "-p", "1", "--address", "400000+3000", "-f", "json"
    )
    [part] = json.loads(done.stdout)["archives"]
    assert [(run["state"], run["size"]) for run in part["runs"]] == [("file", 3000)]
    done = cryoscope("hexdump", data / "crio-counter.tar", "-p", "1", "--address", f"{VDSO}", "-f", "json")
    [part] = json.loads(done.stdout)["archives"]
    [run] = part["runs"]
    assert (run["size"], part["kind"], run["member"]) == (256, "vdso", "checkpoint/pages-1.img")
    with open_checkpoint(str(data / "crio-counter.tar")) as checkpoint:
        assert checkpoint.archive.read_at(run["member"], run["offset"], 256) == bytes.fromhex(run["hex"])
    assert base64.b16decode(run["hex"].upper()).startswith(b"\x7fELF")


def test_raw_gives_nothing_where_something_is_missing(cryoscope: Run, data: Path) -> None:
    asked = ("hexdump", data / "crio-counter.tar", "-p", "1", "--address", "400000-600000", "--raw")
    done = cryoscope(*asked)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"only the mapped file" in done.stderr


def test_an_archive_cut_short(cryoscope: Run, data: Path) -> None:
    asked = (
        "hexdump",
        data / "truncated-by-full-disk.tar",
        "-p",
        "1",
        "--address",
        "7ffd70aec000-7ffd70aed000",
    )
    done = cryoscope(*asked)
    assert done.returncode == 3
    assert b"the archive is damaged or ends before it" in done.stdout
    assert cryoscope(*asked, "--raw").returncode == 1


def test_too_much_for_a_document(cryoscope: Run, data: Path) -> None:
    archive = data / "podman-kitchen-sink.tar.zst"
    asked = ("hexdump", archive, "-p", "1", "--address", "0-ffffffffffffffff")
    done = cryoscope(*asked, "-f", "jsonl")
    assert done.returncode == 0  # 6.6 MiB
    assert all(json.loads(line) for line in done.stdout.splitlines())


def test_usage(cryoscope: Run, data: Path) -> None:
    archive = data / "podman-kitchen-sink.tar.zst"
    assert cryoscope("hexdump", archive, "-p", "4", "--address", "0").returncode == 2  # a zombie
    assert cryoscope("hexdump", archive, "-p", "99", "--address", "0").returncode == 2
    assert cryoscope("hexdump", archive, "-p", "1").returncode == 2
