"""`strings`: what binutils finds, with addresses; shared objects once; forms; damage."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.memory import State
from cryoscope.errors import LimitExceeded
from cryoscope.examine.memory.batches import batches
from cryoscope.examine.memory.reading import Reader
from cryoscope.examine.memory.regions import Wanted, regions
from cryoscope.examine.memory.strings import find
from cryoscope.text import UNSAFE
from cryoscope.workflows.folding import fold
from cryoscope.workflows.open import open_checkpoint
from cryoscope.workflows.schemas import json_schema
from tests.checkpoint.built_samples import PAGE, core, made, mm, pagemap, tree, vma
from tests.conftest import Run
from tests.json_schema import problems

Strings = list[dict[str, Any]]


def rows(run: Run, *arguments: str | Path, code: int = 0) -> Strings:
    done = run("strings", "-f", "jsonl", *arguments)
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def where(found: Strings, text: str) -> set[int]:
    return {row["pid"] for row in found if text in row.get("text", "")}


# --- what is known to be in the corpus ----------------------------------------------------------
TRUTHS = (
    ("podman-counter/checkpoint.tar.zst", "HTTP-POSTED-SECRET-a1b2c3", {3}),
    ("podman-counter/checkpoint.tar.zst", "CTR-TOKEN-7f3a9c55e1", {3}),
    ("docker-looper/checkpoint", "DOCKER_SECRET_77", None),
    ("kubelet/crio-counters-counter.tar", "MARKER-shell-heap-9abc", {1}),
    ("kubelet/crio-counters-redis.tar", "MARKER-redis-value-d00d", {1}),
)


@pytest.mark.parametrize(("name", "text", "pids"), TRUTHS)
def test_truths(cryoscope: Run, corpus: Path, name: str, text: str, pids: set[int] | None) -> None:
    found = where(rows(cryoscope, corpus / name), text)
    assert pids <= found if pids else found


def test_each_thread_has_its_secret(cryoscope: Run, corpus: Path) -> None:
    found = rows(cryoscope, corpus / "podman-threads" / "checkpoint.tar.zst", "-n", "15")
    for number in range(8):
        assert where(found, f"THREAD-SECRET-{number}-") == {1}


# --- binutils -----------------------------------------------------------------------------------
def binutils(data: bytes, minimum: int, *options: str) -> list[bytes]:
    program = shutil.which("strings")
    if program is None:
        pytest.skip("binutils are not here")
    command = [program, "-a", "-n", str(minimum), *options]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    return done.stdout.splitlines()


def runs_of_memory(checkpoint: Checkpoint, pid: int) -> list[tuple[int, bytes]]:
    """Contiguous known bytes of the private memory of a process."""
    space = checkpoint.memory(pid)
    assert space is not None
    found: list[tuple[int, bytes]] = []
    for mapped in space.vmas:
        if mapped.object_id is not None or mapped.kind == "guard":
            continue
        for extent in space.extents(mapped.start, mapped.size):
            if extent.state in (State.DUMPED, State.PARENT):
                data = space.read(extent.start, extent.length)
                if found and found[-1][0] + len(found[-1][1]) == extent.start:
                    found[-1] = (found[-1][0], found[-1][1] + data)
                else:
                    found.append((extent.start, data))
    return found


@pytest.mark.parametrize(
    "name", ["crio-counter.tar", "podman-looper-crun.tar", "podman-kitchen-sink.tar.zst"]
)
@pytest.mark.parametrize(("encoding", "letter"), [("ascii", "s"), ("utf-16", "l")])
def test_as_binutils(cryoscope: Run, data: Path, name: str, encoding: str, letter: str) -> None:
    found = rows(cryoscope, data / name, "-n", "4", "-e", encoding)
    with open_checkpoint(str(data / name)) as checkpoint:
        for process in checkpoint.processes:
            mine = [
                (int(row["address"], 16), row["text"].encode())
                for row in found
                if row["pid"] == process.pid and "pids" not in row
            ]
            theirs = []
            if checkpoint.memory(process.pid) is None:
                continue
            for start, memory in runs_of_memory(checkpoint, process.pid):
                for line in binutils(memory, 4, "-t", "d", "-e", letter):
                    offset, text = re.fullmatch(rb" *(\d+) (.*)", line).groups()  # type: ignore[union-attr]
                    theirs.append((start + int(offset), text))
            assert mine == theirs


# --- shared objects -----------------------------------------------------------------------------
def test_shared_objects_once_with_all_who_map_them(cryoscope: Run, data: Path) -> None:
    found = rows(cryoscope, data / "podman-kitchen-sink.tar.zst")
    for text in ("SHARED-ANON-SECRET", "SYSV-SHM-SECRET", "MEMFD-SECRET-PAYLOAD"):
        [row] = [row for row in found if row["text"] == text and row["perms"].endswith("s")]
        assert row["pids"] == [1, 2, 3]
        assert row["pid"] == 1


def test_an_object_in_parts_is_covered_once() -> None:
    shared = {"status": 0x101, "shmid": 9, "flags": 0x21}
    first = vma(0x10000, 0x12000, pgoff=0, **shared)
    second = vma(0x50000, 0x53000, pgoff=PAGE, **shared)
    files = {
        "pstree.img": tree((1, 0), (2, 1)),
        "core-1.img": core(),
        "core-2.img": core(),
        "mm-1.img": mm([first]),
        "mm-2.img": mm([second]),
        "pagemap-shmem-9.img": pagemap((0, 4, 4), pages_id=1),
        "pages-1.img": b"".join(letter * PAGE for letter in (b"a", b"b", b"c", b"d")),
    }
    checkpoint = made(files)
    found = [(one.pid, one.start, one.end, one.pids) for one in regions(checkpoint, Wanted())]
    assert found == [(1, 0x10000, 0x12000, (1, 2)), (2, 0x51000, 0x53000, (1, 2))]
    only = [(one.pid, one.start, one.end, one.pids) for one in regions(checkpoint, Wanted(pids=(2,)))]
    assert only == [(2, 0x50000, 0x53000, (1, 2))]


# --- what is asked for --------------------------------------------------------------------------
def test_filters(cryoscope: Run, data: Path) -> None:
    archive = data / "crio-counter.tar"
    assert {row["kind"] for row in rows(cryoscope, archive, "--vma-type", "heap")} == {"heap"}
    assert {row["perms"] for row in rows(cryoscope, archive, "--perm", "x")} == {"r-xp"}
    assert {row["perms"] for row in rows(cryoscope, archive, "--perm", "r--p")} == {"r--p"}
    assert {row["pid"] for row in rows(cryoscope, archive, "-p", "9")} == {9}
    whole = rows(cryoscope, archive, "-p", "1")
    found = rows(cryoscope, archive, "-p", "1", "--address", "7ffef50f4c90-7ffef50f4e40", "-n", "4")
    assert all(0x7FFEF50F4C90 <= int(row["address"], 16) < 0x7FFEF50F4E40 for row in found)
    assert found
    assert len(found) < len(whole)
    assert rows(cryoscope, archive, "--address", "10+16") == []


@pytest.mark.parametrize(
    "arguments", [("--address", "zz"), ("--address", "5-4"), ("--perm", "q"), ("-p", "77"), ("-n", "0")]
)
def test_usage(cryoscope: Run, data: Path, arguments: tuple[str, ...]) -> None:
    assert cryoscope("strings", *arguments, data / "crio-counter.tar").returncode == 2


# --- forms --------------------------------------------------------------------------------------
def test_forms_say_the_same(cryoscope: Run, data: Path) -> None:
    targets = (data / "crio-counter.tar", data / "docker-looper")
    lines = rows(cryoscope, *targets)
    document = json.loads(cryoscope("strings", "-f", "json", *targets).stdout)
    assert document["schema"] == "cryoscope.strings/1"
    flat = [
        {"schema": document["schema"], "archive": part["archive"]} | row
        for part in document["archives"]
        for row in part["strings"]
    ]
    assert flat == lines
    table = cryoscope("strings", *targets).stdout.decode().splitlines()
    drawn = [line for line in table if line.lstrip()[:1].isdigit()]
    assert [line.split()[:2] for line in drawn] == [[str(row["pid"]), row["address"]] for row in lines]
    assert all(line.endswith(row["text"]) for line, row in zip(drawn, lines, strict=True))
    assert sorted(line for line in table if line.startswith("==>")) == [f"==> {name} <==" for name in targets]


def test_escapes() -> None:
    text = b'quote " back \\ tab \t end'
    pages = text.ljust(100, b"\0") + 'wide " \\ \t'.encode("utf-16-le")
    checkpoint = made(
        {
            "pstree.img": tree((1, 0)),
            "core-1.img": core(comm=b'a"\x1b[31m'),
            "mm-1.img": mm([vma(0x10000, 0x11000)]),
            "pagemap-1.img": pagemap((0x10000, 1, 4)),
            "pages-1.img": pages.ljust(PAGE, b"\0"),
        }
    )
    from cryoscope.report.strings import TableStyle, lines
    from cryoscope.workflows.strings import JsonStyle

    found = regions(checkpoint, Wanted())
    [batch] = batches(found, Reader())
    strings = find(batch, ("ascii", "utf-16"), 4)
    said = [json.loads(line) for line in bytes(lines(strings, JsonStyle("x\x1b"))).splitlines()]
    assert [(row["address"], row["text"]) for row in said] == [
        ("0x10000", text.decode()),
        ("0x10064", 'wide " \\ \t'),
    ]
    assert not UNSAFE.findall(
        bytes(lines(strings, TableStyle(found))).decode().replace("\n", "").replace("\t", "")
    )


def test_unique(cryoscope: Run, data: Path) -> None:
    archive = data / "crio-counter.tar"
    every = rows(cryoscope, archive)
    found = rows(cryoscope, archive, "--unique")
    assert {row["text"]: row["count"] for row in found} == Counter(row["text"] for row in every)
    assert [row["count"] for row in found] == sorted((row["count"] for row in found), reverse=True)
    first = {row["text"]: (row["pid"], row["address"]) for row in reversed(every)}
    assert {row["text"]: (row["pid"], row["address"]) for row in found} == first
    table = cryoscope("strings", "--unique", archive).stdout.splitlines()
    assert len(table) == len(found) + 1
    document = json.loads(cryoscope("strings", "--unique", "-f", "json", archive).stdout)
    assert len(document["archives"][0]["unique"]) == len(found)


def test_unique_is_bounded(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UNIQUE_STRINGS", 1000)
    with open_checkpoint(str(data / "crio-counter.tar")) as checkpoint, pytest.raises(LimitExceeded):
        fold(batches(regions(checkpoint, Wanted()), Reader()), ("ascii",), 6)


# --- damage -------------------------------------------------------------------------------------
@pytest.mark.parametrize("form", ["table", "json", "jsonl"])
def test_damage_beside_what_is_there(cryoscope: Run, data: Path, form: str) -> None:
    targets = (data / "truncated-by-full-disk.tar", data / "crio-counter.tar")
    done = cryoscope("strings", "-f", form, *targets)
    assert done.returncode == 3
    assert b"pages-1.img: ends too early" in done.stderr
    assert b"glibc.cpu.plt_rewrite" in done.stdout
    if form == "json":
        assert {one["code"] for one in json.loads(done.stdout)["damaged"]} >= {"memory.truncated"}


def test_an_archive_that_is_none(cryoscope: Run, data: Path, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"nothing")
    done = cryoscope("strings", "-f", "json", tmp_path / "x", data / "crio-counter.tar")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert [part["archive"] for part in document["archives"]] == [str(data / "crio-counter.tar")]
    assert document["damaged"][0]["part"] == "archive"


def test_a_broken_pages_image_is_asked_once() -> None:
    """What lies behind a place that cannot be read is not tried again for each block."""
    checkpoint = made(
        {
            "pstree.img": tree((1, 0)),
            "core-1.img": core(),
            "mm-1.img": mm([vma(0x10000, 0x10000 + 8 * PAGE)]),
            "pagemap-1.img": pagemap(*((0x10000 + 2 * i * PAGE, 1, 4) for i in range(4))),
            "pages-1.img": b"known text".ljust(PAGE, b"\0") + b"cut he",
        }
    )
    reader = Reader()
    found = regions(checkpoint, Wanted())
    texts = [bytes(one.runs.text()) for batch in batches(found, reader) for one in find(batch, ("ascii",), 4)]
    assert b"".join(texts).split() == [b"known", b"text", b"cut", b"he"]
    assert [one.code for one in reader.damaged] == ["memory.truncated"]


def test_a_process_without_memory(cryoscope: Run, data: Path) -> None:
    assert rows(cryoscope, "-p", "4", data / "podman-kitchen-sink.tar.zst") == []


@pytest.mark.parametrize(
    ("noun", "arguments"),
    [
        ("strings", ("strings",)),
        ("strings", ("strings", "--unique")),
        ("memory", ("memory", "--vmas")),
        ("hexdump", ("hexdump", "-p", "1", "--address", "0-ffffffffff")),
        ("extract", ("extract", "-p", "1", "--all", "-o", "out")),
    ],
)
def test_documents_fit_their_schema(
    cryoscope: Run, data: Path, tmp_path: Path, noun: str, arguments: tuple[str, ...], monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    done = cryoscope(*arguments, "-f", "json", data / "podman-kitchen-sink.tar.zst")
    assert problems(json.loads(done.stdout), json_schema(noun)) == []
