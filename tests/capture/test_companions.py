"""What is saved next to an archive: whole and told, or missing and told; nothing leaves the folder."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoscope.engines.beside import KINDS, Beside, unframed
from cryoscope.engines.port import Ability, Container, EngineError
from cryoscope.errors import CryoscopeError, UsageError
from cryoscope.workflows.companions import check_kinds, folder_of, save_companions

CONTAINER = Container(
    engine="own",
    id="0f" * 32,
    name="web",
    state="running",
    target="podman://web",
    capture=Ability(can=True),
    restore=Ability(can=True),
)


class Own:
    """An engine that has its own `companions`: any that is installed beside ours may."""

    name = "own"

    def __init__(self, *offered: Beside) -> None:
        self.offered = offered

    def companions(self, _: Container, wanted: Collection[str]) -> Iterator[Beside]:
        yield from (each for each in self.offered if each.kind in wanted)


def save(tmp_path: Path, engine: Own, *wanted: str) -> tuple[Path, dict[str, object]]:
    archive = tmp_path / "checkpoint-web.tar"
    folder, _ = save_companions(engine, CONTAINER, wanted, str(archive), sha256="ab")  # type: ignore[arg-type]
    return Path(folder), json.loads((Path(folder) / "manifest.json").read_text())


def beside(kind: str, name: str, *blocks: bytes) -> Beside:
    return Beside(kind, name, iter(blocks), f"GET /{kind}")


def broken(*blocks: bytes) -> Iterator[bytes]:
    yield from blocks
    raise EngineError("closed in the middle", code="own.cut")


def test_how_to_have_it_by_hand_is_told_with_what_is_missing(tmp_path: Path) -> None:
    def none() -> Iterator[bytes]:
        yield from ()
        raise EngineError("no images here", hint="own export image.tar", code="own.none")

    _, manifest = save(tmp_path, Own(Beside("image", "image.tar", none(), "x")), "image")
    told = {"kind": "image", "why": "no images here", "code": "own.none", "cure": "own export image.tar"}
    assert manifest["missing"] == [told]


def test_files_and_their_digests_are_in_the_manifest(tmp_path: Path) -> None:
    engine = Own(
        beside("logs", "container.log", b"one\n", b"two\n"), beside("inspect", "inspect.json", b"{}")
    )
    folder, manifest = save(tmp_path, engine, "logs", "inspect")
    assert (folder / "container.log").read_bytes() == b"one\ntwo\n"
    assert manifest["files"][0] == {  # type: ignore[index]
        "kind": "logs",
        "name": "container.log",
        "size": 8,
        "sha256": hashlib.sha256(b"one\ntwo\n").hexdigest(),
        "source": "GET /logs",
    }
    assert (manifest["archive"], manifest["archive_sha256"]) == ("checkpoint-web.tar", "ab")
    assert manifest["missing"] == []


def test_nobody_else_may_read_them(tmp_path: Path) -> None:
    folder, _ = save(tmp_path, Own(beside("logs", "container.log", b"secret")), "logs")
    modes = {path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert (folder.stat().st_mode & 0o777, modes) == (0o700, {0o600})


def test_what_breaks_off_is_missing_and_keeps_nothing_else(tmp_path: Path) -> None:
    engine = Own(Beside("image", "image.tar", broken(b"half"), "x"), beside("logs", "container.log", b"all"))
    folder, manifest = save(tmp_path, engine, "image", "logs", "events")
    assert sorted(path.name for path in folder.iterdir()) == ["container.log", "manifest.json"]
    assert manifest["missing"] == [
        {"kind": "image", "why": "closed in the middle", "code": "own.cut"},
        {"kind": "events", "why": "own has none", "code": "companions.none"},
    ]


@pytest.mark.parametrize("name", ["../evil", "/evil", ".evil", "a/b", "", "manifest.json", "a\nb", "x" * 200])
def test_a_name_that_is_none_is_not_written(name: str, tmp_path: Path) -> None:
    folder, manifest = save(tmp_path, Own(beside("logs", name, b"x")), "logs")
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]
    assert manifest["missing"][0]["code"] == "companions.name"  # type: ignore[index]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-web.companions"]


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    save(tmp_path, Own(beside("logs", "container.log", b"first")), "logs")
    with pytest.raises(UsageError) as caught:
        save(tmp_path, Own(beside("logs", "container.log", b"second")), "logs")
    assert caught.value.code == "companions.exists"
    assert (tmp_path / "checkpoint-web.companions/container.log").read_bytes() == b"first"


def test_a_full_disk_is_an_error_and_leaves_no_manifest(tmp_path: Path) -> None:
    def full() -> Iterator[bytes]:
        yield b"x"
        raise OSError(28, os.strerror(28))

    with pytest.raises(CryoscopeError) as caught:
        save(tmp_path, Own(Beside("image", "image.tar", full(), "x")), "image")
    assert caught.value.code == "companions.write"
    assert "No space left" in caught.value.message
    names = [path.name for path in (tmp_path / "checkpoint-web.companions").iterdir()]
    assert names == ["image.tar.incomplete"]


def test_only_known_kinds_may_be_asked_for() -> None:
    check_kinds(KINDS)
    with pytest.raises(UsageError) as caught:
        check_kinds(["logs", "imgae"])
    assert caught.value.code == "companions.kind"


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tar.zst", "a"])
def test_the_folder_lies_beside_the_archive(name: str) -> None:
    assert folder_of("/x/" + name) == "/x/a.companions"


# --- multiplexed logs -----------------------------------------------------------------------------
def framed(parts: list[tuple[int, bytes]]) -> bytes:
    return b"".join(struct.pack(">BxxxI", stream, len(data)) + data for stream, data in parts)


@given(
    parts=st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), min_size=1),
    sizes=st.lists(st.integers(1, 11), min_size=1),
)
def test_payloads_come_out_however_the_blocks_are_cut(
    parts: list[tuple[int, bytes]], sizes: list[int]
) -> None:
    assert b"".join(unframed(cut(framed(parts), sizes))) == b"".join(data for _, data in parts)


@given(text=st.text(alphabet="abc \n2026:-T", min_size=1), sizes=st.lists(st.integers(1, 5), min_size=1))
def test_the_log_of_a_terminal_comes_through(text: str, sizes: list[int]) -> None:
    assert b"".join(unframed(cut(text.encode(), sizes))) == text.encode()


def cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        yield data[at : at + size]
        at, turn = at + size, turn + 1
