"""Every command in every format on every engine's archive: it answers, and its JSON is what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cryoscope.workflows.schemas import NOUNS, json_schema
from every import check, commands
from forked import Ran, run_all
from json_schema import problems

ARCHIVES = (
    "podman-kitchen-sink.tar.zst",
    "podman-looper-crun.tar",
    "podman-looper-crun.tar.gz",
    "podman-looper-criu41.tar",
    "podman-image.oci.tar",
    "containerd-looper.tar",
    "containerd-counter.tar",
    "ctr-image.tar",
    "crio-counter.tar",
    "truncated-by-full-disk.tar",
    "docker-looper",
    "criu-incremental.tar.zst",
)
NOUN_OF = {"show": "overview", "inspect": "inspection", "ps": "processes", "env": "environment"} | {
    name: name for name in ("files", "sockets", "maps", "mounts", "log")
}
NOUN_OF |= {"ls": "members", "info": "images"}


def by_form(found: list[Ran]) -> dict[tuple[str, str], Ran]:
    """Runs by command and format."""
    form = {True: lambda a: a[a.index("-f") + 1], False: lambda _: "json"}
    return {(r.arguments[0], form["-f" in r.arguments](list(r.arguments))): r for r in reversed(found)}


MAY_SAY_NOTHING = ("log", "search", "secrets", "indicators", "iocs", "bash-history")
"""Of an archive that has no log, or in which nothing of the kind is found."""


@pytest.mark.parametrize("name", ARCHIVES)
def test_every_command_answers(name: str, data: Path) -> None:
    found = run_all(commands(name), cwd=data)
    damaged = name.startswith("truncated")
    for ran in found:
        check(ran, codes=[0, 3] if damaged else [0])
        assert (
            ran.out or {"jsonl", "sums", "bodyfile"} & {*ran.arguments} or ran.arguments[0] in MAY_SAY_NOTHING
        ), ran
    runs = by_form(found)
    for command, noun in NOUN_OF.items():
        whole = json.loads(runs[command, "json"].out)
        lines = [json.loads(line) for line in runs[command, "jsonl"].out.splitlines()]
        is_valid(whole, noun, [name])
        are_valid(lines, noun, whole)
        assert bool(whole["damaged"]) == (runs[command, "json"].code == 3)


def is_valid(document: dict[str, Any], noun: str, archives: list[str]) -> None:
    """A document fits its schema and its records, and names its archives."""
    assert document["schema"] == f"cryoscope.{noun}/1"
    assert [part["archive"] for part in document["archives"]] == archives
    assert problems(document, json_schema(noun)) == []
    for part in document["archives"]:
        msgspec.convert(part, NOUNS[noun], dec_hook=lambda kind, value: kind(int(value, 16)))


def are_valid(lines: list[dict[str, Any]], noun: str, whole: dict[str, Any]) -> None:
    """JSON Lines: each names its archive, and together they say what the document says."""
    names = {part["archive"] for part in whole["archives"]}
    assert {line["archive"] for line in lines} <= names
    damaged = [line for line in lines if line["schema"] == f"cryoscope.{noun}.damaged/1"]
    rows = [line for line in lines if line["schema"] == f"cryoscope.{noun}/1"]
    assert len(damaged) == len(whole["damaged"])
    assert len(rows) + len(damaged) == len(lines)
    for part in whole["archives"]:
        lists = [value for value in part.values() if isinstance(value, list)]
        one_row = noun in ("overview", "log", "inspection")
        assert one_row or all(
            any(item.items() <= row.items() for row in rows) for item in max(lists, key=len)
        )


def test_several_archives_at_once(data: Path) -> None:
    names = ["crio-counter.tar", "nowhere.tar", "docker-looper", "truncated-by-full-disk.tar"]
    found = run_all(commands(*names), cwd=data)
    good = [name for name in names if name != "nowhere.tar"]
    for ran in found:
        check(ran, codes=[1])
        assert ran.err.count(b"cryoscope: nowhere.tar: does not exist") == 1
    for (command, form), ran in by_form(found).items():
        if form == "json" and command in NOUN_OF:
            document = json.loads(ran.out)
            is_valid(document, NOUN_OF[command], good)
            [missing] = [d for d in document["damaged"] if d["part"] == "archive"]
            assert (missing["archive"], missing["code"]) == ("nowhere.tar", "open.missing")
        elif form == "table" and command != "show":
            assert ran.out.count(b"==> ") == 3
    lines = by_form(found)["decode", "jsonl"].out.splitlines()
    assert {json.loads(line)["archive"] for line in lines} == set(good)


def test_only_one_process(data: Path) -> None:
    asked = [
        [command, "-f", "json", "-p", "9", "crio-counter.tar"]
        for command in ("ps", "env", "files", "maps", "inspect")
    ]
    for ran in run_all([*asked, ["sockets", "-p", "9", "crio-counter.tar"]], cwd=data):
        check(ran, codes=[0])
        if ran.arguments[0] != "sockets":
            [part] = json.loads(ran.out)["archives"]
            assert [process["pid"] for process in part["processes"]] == [9]
    [unknown] = run_all([["ps", "-p", "77", "crio-counter.tar"]], cwd=data)
    assert unknown.code == 2
    assert b"there are: 1, 9, 78" in unknown.err


def test_cat_ls_info_and_members(data: Path, tmp_path: Path) -> None:
    archive = str(data / "crio-counter.tar")
    image = f"{archive}::checkpoint/core-1.img"
    written = tmp_path / "core.img"
    asked = [
        ["cat", archive, "checkpoint/core-1.img", "-o", str(written)],
        ["cat", archive, "checkpoint/core-1.img"],
        ["cat", archive, "checkpoint/core-1.img", "-o", str(written)],
        ["decode", image],
        ["decode", str(written)],
        ["info", image, str(written)],
        ["cat", archive, "spec.dump", "config.dump"],
    ]
    cat, again, twice, member, file, info, two = run_all(asked, cwd=tmp_path)
    assert cat.code == 0
    assert again.out == written.read_bytes()
    assert written.stat().st_mode & 0o777 == 0o600
    assert twice.code == 2
    assert b"is there already" in twice.err
    assert member.out == file.out != b""
    assert info.out.count(b"CORE") == 2
    assert b'"ociVersion"' in two.out


def test_encode_makes_the_image_again(data: Path, tmp_path: Path) -> None:
    folder = data / "docker-looper"
    [decoded] = run_all([["decode", str(folder), "-o", "all.json"]], cwd=tmp_path)
    check(decoded, codes=[0])
    ask = [["encode", "all.json", "-o", "out"], ["encode", "all.json"], ["encode", "all.json", "-o", "out"]]
    encoded, no_folder, full = run_all(ask, cwd=tmp_path)
    assert (encoded.code, no_folder.code, full.code) == (0, 2, 2)
    made = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert "core-1.img" in made
    for name in made:
        assert (tmp_path / "out" / name).read_bytes() == (folder / name).read_bytes(), name


def test_encode_writes_only_into_its_folder(tmp_path: Path) -> None:
    image = {"magic": "UTSNS", "entries": []}
    for name in ("../evil.img", "/tmp/evil.img", "..", ".hidden", "a\nb.img", "checkpoint/../../x.img"):
        (tmp_path / "d.json").write_text(json.dumps({"images": {name: image}}))
        [ran] = run_all([["encode", "d.json", "-o", "out"]], cwd=tmp_path)
        assert ran.code in (0, 2), ran
        assert all(path.parent == tmp_path / "out" for path in tmp_path.rglob("*.img"))
        for path in (tmp_path / "out").iterdir():
            path.unlink()


def test_logs(data: Path) -> None:
    ask = [["log", "crio-counter.tar"], ["log", "-n", "2", "crio-counter.tar"], ["log", "docker-looper"]]
    whole, two, none = run_all(ask, cwd=data)
    assert whole.out.splitlines()[-2:] == two.out.splitlines() != []
    assert none.out == b"(no log in this archive)\n"


def test_list_tells_checkpoints_from_other_files(data: Path) -> None:
    [ran] = run_all([["list", str(data)]], cwd=data)
    check(ran, codes=[0, 3])
    for name in (b"crio-counter.tar", b"docker-looper", b"podman-kitchen-sink.tar.zst"):
        assert name in ran.out
    assert b"README.md" not in ran.out
    assert b"passed over" in ran.err


def test_completion_scripts(data: Path) -> None:
    for shell in ("bash", "zsh", "fish"):
        [ran] = run_all([["completion", shell]], cwd=data)
        assert ran.code == 0
        assert b"_CRYOSCOPE_COMPLETE" in ran.out
