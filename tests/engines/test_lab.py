"""The lab's own promises: what it says of versions, of its recipe, and of machines that cannot have one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import __main__ as command
from lab import build, manifest, places, recipe
from lab.errors import NoLab

ONE_TEST = "tests/engines/test_node.py::test_the_root_cannot_be_written"


def run_a_test(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A run of one engine test with another lab."""
    asked = os.environ | {"CRYOSCOPE_LAB_HOME": str(home)} | environment
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", ONE_TEST]
    return subprocess.run(argv, env=asked, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("version", "upstream"),
    [("4.2.1-1", "4.2.1"), ("5.8.6+ds1-2", "5.8.6"), ("1:2.47.50.20261021-1", "2.47.50.20261021")],
)
def test_versions_of_debian(version: str, upstream: str) -> None:
    assert manifest.upstream(version) == upstream


def test_an_unknown_major_version_is_named() -> None:
    known = dict.fromkeys(recipe.KNOWN, "0") | {name: f"{major}.1" for name, major in recipe.KNOWN.items()}
    assert manifest.unknown_majors(known) == []
    (sentence,) = manifest.unknown_majors(known | {"criu": "5.0-1"})
    assert "criu 5.0" in sentence


def test_another_recipe_is_another_digest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("recipe.py", "debian.py", "image.py"):
        (tmp_path / name).write_bytes((places.HERE / name).read_bytes())
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs/one.c").write_text("int main;")
    monkeypatch.setattr(recipe, "HERE", tmp_path)
    first = recipe.digest.__wrapped__()
    (tmp_path / "programs/one.c").write_text("int main();")
    assert recipe.digest.__wrapped__() != first


@pytest.mark.parametrize(("options", "code"), [([], 1), (["--if-possible"], 0)])
def test_without_root_the_build_says_so_in_one_line(
    options: list[str],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CRYOSCOPE_LAB_HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "argv", ["lab", "build", *options])
    assert command.main() == code
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "needs root" in said
    assert "make lab" in said


def test_a_lab_of_another_recipe_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CRYOSCOPE_LAB_HOME", str(tmp_path))
    (tmp_path / "root").mkdir()
    (tmp_path / manifest.NAME).write_text('{"recipe": "another", "packages": {}}')
    with pytest.raises(NoLab):
        build.required()


def test_where_there_is_no_lab_tests_are_skipped_in_one_line(tmp_path: Path) -> None:
    done = run_a_test(tmp_path, CRYOSCOPE_LAB="")
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout
    assert "lab: 1 tests of real engines were skipped" in done.stdout


def test_where_the_lab_is_required_its_absence_fails(tmp_path: Path) -> None:
    done = run_a_test(tmp_path, CRYOSCOPE_LAB="required")
    assert done.returncode != 0
    assert "NoLab" in done.stdout
