"""`cryoscope image build`, `inspect` and `list` as commands: what they print, and how they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cryoscope.cli import cryoscope
from cryoscope.errors import CryoscopeError
from cryoscope.workflows.schemas import json_schema
from json_schema import problems

DATA = Path(__file__).resolve().parents[1] / "data"
ARCHIVE = str(DATA / "containerd-counter.tar")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cryoscope, ["image", *arguments])


def refusal(done: Result) -> tuple[str, int]:
    """Code and exit code of what a command raised."""
    assert isinstance(done.exception, CryoscopeError)
    return done.exception.code, done.exception.exit_code


def test_what_was_built_is_what_is_inspected_and_listed(tmp_path: Path) -> None:
    place = str(tmp_path / "image.tar")
    built = run("build", ARCHIVE, "a/b:1", "-o", place, "--annotation", "team=night", "-f", "json")
    assert built.exit_code == 0, built.output
    made = json.loads(built.stdout)
    assert made["schema"] == "cryoscope.image-build/1"
    told = json.loads(run("inspect", place, "a/b:1", "-f", "json").stdout)
    assert told["schema"] == "cryoscope.image/1"
    for noun, document in (("image-build", made), ("image", told)):
        assert problems(document, json_schema(noun)) == []
    one, other = made["archives"][0], told["archives"][0]
    assert other["digest"] == one["digest"]
    assert other["annotations"] == one["annotations"]
    assert other["annotations"]["team"] == "night"
    assert [each["digest"] for each in other["layers"]] == [one["layer"]]
    lines = run("list", place, "-f", "jsonl").stdout.splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["a/b:1"]
    assert one["digest"] in run("inspect", place).stdout


@pytest.mark.parametrize("place", [[], ["-o", "there", "--push"]], ids=["nowhere", "both"])
def test_an_image_goes_to_one_place(place: list[str]) -> None:
    done = run("build", ARCHIVE, "a:1", *place)
    assert refusal(done) == ("image.destination", 2)


@pytest.mark.parametrize("pair", ["", "novalue", "=value"])
def test_what_is_no_annotation_is_said(pair: str, tmp_path: Path) -> None:
    done = run("build", ARCHIVE, "a:1", "-o", str(tmp_path / "l"), "--annotation", pair)
    assert refusal(done) == ("usage", 2)
    assert not (tmp_path / "l").exists()


def test_an_archive_that_is_no_layout_is_said() -> None:
    assert refusal(run("inspect", ARCHIVE)) == ("image.layout", 1)
    assert refusal(run("list", str(DATA / "docker-looper"))) == ("image.layout", 1)
