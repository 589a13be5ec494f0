"""`cryoscope diff` as a person runs it: forms, exit codes, masking, several archives."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from diff_samples import process, tree

from json_schema import problems
from tests.checkpoint.built_samples import PAGE, image, mm, tar, vma

Run = Callable[..., "CompletedProcess[bytes]"]
FIRST, SECOND = "podman-looper-crun.tar", "podman-looper-crun.tar.gz"


def archive(folder: Path, name: str, files: dict[str, bytes]) -> Path:
    inside = {"inventory.img": image("INVENTORY", {"img_version": 2}), "pstree.img": tree((1, 0))} | files
    path = folder / name
    path.write_bytes(tar({f"checkpoint/{member}": data for member, data in inside.items()}))
    return path


def with_environment(value: bytes) -> dict[str, bytes]:
    """A process with its command line and environment on its one page."""
    stack = b"run\0--password=%b\0" % value, b"API_TOKEN=%b\0MODE=a\0" % value
    start, middle = 0x10000, 0x10000 + len(stack[0])
    places = {"mm_arg_start": start, "mm_arg_end": middle, "mm_env_start": middle}
    places |= {"mm_env_end": middle + len(stack[1]), "mm_start_stack": 0x10000, "mm_start_code": 1}
    files = process(pages={0: b"".join(stack).ljust(PAGE, b"\0")})
    return files | {"mm-1.img": mm([vma(0x10000, 0x10000 + PAGE)], **places)}


def test_equal_and_different(cryoscope: Run, data: Path) -> None:
    same = cryoscope("diff", "--exit-code", data / FIRST, data / FIRST)
    assert (same.returncode, same.stderr) == (0, b"")
    assert same.stdout.splitlines()[-1] == b"no difference"
    assert cryoscope("diff", data / FIRST, data / SECOND).returncode == 0
    assert cryoscope("diff", "--exit-code", data / FIRST, data / SECOND).returncode == 10
    assert cryoscope("diff", "--exit-code", "--only", "mounts", data / FIRST, data / SECOND).returncode == 0


def test_the_document(cryoscope: Run, data: Path) -> None:
    done = cryoscope("diff", "--hexdump", "--search", "SECRET", "-f", "json", data / FIRST, data / SECOND)
    document = json.loads(done.stdout)
    schema = json.loads((data.parent.parent / "docs" / "schemas" / "diff.json").read_text())
    assert list(problems(document, schema)) == []
    (part,) = document["archives"]
    assert (part["before"]["archive"], part["archive"]) == (str(data / FIRST), str(data / SECOND))
    assert part["summary"]["files"] == {"changed": 3}
    assert part["memory"]["total"]["changed"] == 3
    assert {one["change"] for one in part["bytes"]} == {"changed"}
    lines = cryoscope("diff", "-f", "jsonl", data / FIRST, data / SECOND).stdout.splitlines()
    assert len(lines) == 5 + 1
    assert {json.loads(line)["schema"] for line in lines} == {"cryoscope.diff/1"}


def test_a_tree(cryoscope: Run, data: Path) -> None:
    shown = cryoscope("diff", "-f", "tree", data / FIRST, data / SECOND).stdout.decode()
    assert "├── processes" in shown
    assert "+ process: sleep 1" in shown
    assert "[stack]: 2 changed of" in shown


def test_several_each_with_the_one_before_or_the_first(cryoscope: Run, data: Path) -> None:
    three = (data / FIRST, data / SECOND, data / FIRST)
    parts = json.loads(cryoscope("diff", "-f", "json", *three).stdout)["archives"]
    assert [(p["before"]["archive"], p["archive"]) for p in parts] == [
        (str(three[0]), str(three[1])),
        (str(three[1]), str(three[2])),
    ]
    parts = json.loads(cryoscope("diff", "--against-first", "-f", "json", *three).stdout)["archives"]
    assert [(p["before"]["archive"], p["different"]) for p in parts] == [
        (str(three[0]), True),
        (str(three[0]), False),
    ]


def test_one_that_cannot_be_opened_leaves_the_others(cryoscope: Run, data: Path) -> None:
    done = cryoscope("diff", "-f", "json", data / FIRST, data / "no-such.tar", data / SECOND)
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert [part["archive"] for part in document["archives"]] == [str(data / SECOND)]
    assert [found["code"] for found in document["damaged"]] == ["open.missing"]


def test_standard_input_can_be_one_of_them(cryoscope: Run, data: Path) -> None:
    packed = (data / SECOND).read_bytes()
    done = cryoscope("diff", "-f", "json", data / FIRST, "-", stdin=packed)
    assert json.loads(done.stdout)["archives"][0]["memory"]["total"]["changed"] == 3
    plain = cryoscope("diff", "-f", "json", "-", data / FIRST, stdin=(data / FIRST).read_bytes())
    assert json.loads(plain.stdout)["archives"][0]["different"] is False
    twice = cryoscope("diff", "-", "-", stdin=packed)
    assert (twice.returncode, twice.stdout) == (2, b"")


@pytest.mark.parametrize("arguments", [(), ("--pid", "999")])
def test_what_makes_no_sense(cryoscope: Run, data: Path, arguments: tuple[str, ...]) -> None:
    targets = [data / FIRST] * (2 if arguments else 1)
    done = cryoscope("diff", *arguments, *targets)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") <= 4


def test_damage_on_one_side_is_named_with_that_side(cryoscope: Run, data: Path) -> None:
    done = cryoscope("diff", data / "containerd-counter.tar", data / "truncated-by-full-disk.tar")
    assert done.returncode == 3
    assert b"damaged: " + bytes(data / "truncated-by-full-disk.tar") in done.stderr
    assert b"containerd-counter" not in done.stderr


def test_secrets_are_masked_on_both_sides(cryoscope: Run, tmp_path: Path) -> None:
    pair = [
        archive(tmp_path, f"{word}.tar", with_environment(word.encode())) for word in ("hunter2", "tr0ub4dor")
    ]
    done = cryoscope("diff", *pair)
    assert b"API_TOKEN" in done.stdout
    assert b"hunter2" not in done.stdout.replace(bytes(pair[0]), b"")
    assert b"tr0ub4dor" not in done.stdout.replace(bytes(pair[1]), b"")
    assert b"masked; --reveal" in done.stderr
    shown = cryoscope("diff", "--reveal", "-f", "json", *pair)
    found = {
        d["subject"]: (d["old"], d["new"]) for d in json.loads(shown.stdout)["archives"][0]["differences"]
    }
    assert found["API_TOKEN"] == ("hunter2", "tr0ub4dor")
    assert found["process"] == (["run", "--password=hunter2"], ["run", "--password=tr0ub4dor"])
