"""Detectors of other packages: a real distribution on the path, whatever it does wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).resolve().parent / "data"

GOOD = """
from cryoscope.examine.findings import Detector, Evidence, Suspicion

PROTOCOL = 1

def look(scene):
    for process in scene.processes:
        if process.comm == "sh":
            yield Suspicion([Evidence(what="is a shell", pid=process.pid, comm=process.comm)])

WORDS = dict(severity="low", title="A shell", why="Because.", next=["look"], techniques=["T1059"])
MINE = Detector(name="mine-shell", look=look, **WORDS)
DETECTORS = [MINE]
"""


def install(folder: Path, source: str, name: str = "mine") -> None:
    """A distribution as pip lays it out: the module, and the metadata that names its entry point."""
    (folder / f"{name}_detectors.py").write_text(source)
    info = folder / f"{name}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[cryoscope.detectors]\n{name} = {name}_detectors\n")


def scan(folder: Path, *arguments: str) -> Any:
    """The document of `cryoscope scan` with what is installed in a folder."""
    ran = run(folder, "scan", "-f", "json", *arguments, str(DATA / "podman-looper-crun.tar"))
    assert ran.returncode == 0, ran.stderr
    (part,) = json.loads(ran.stdout)["archives"]
    return part


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-m", "cryoscope", *arguments],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_a_detector_of_an_installed_package(tmp_path: Path) -> None:
    install(tmp_path, GOOD)
    part = scan(tmp_path, "--detector", "mine-shell")
    (finding,) = part["findings"]
    assert finding["detector"] == "mine-shell"
    assert [(one["pid"], one["what"]) for one in finding["evidence"]] == [(1, "is a shell")]
    assert "notes" not in part
    assert b"mine-shell" in run(tmp_path, "scan", "--list").stdout


def test_nothing_is_loaded_from_a_path(tmp_path: Path) -> None:
    """The module alone, without metadata of an installed package, is nothing."""
    (tmp_path / "mine_detectors.py").write_text(GOOD)
    ran = run(tmp_path, "scan", "--list")
    assert ran.returncode == 0
    assert b"mine-shell" not in ran.stdout


WRONG = {
    "another protocol": ("PROTOCOL = 1", "PROTOCOL = 2", "it speaks protocol 2, this release speaks 1"),
    "no protocol": ("PROTOCOL = 1", "", "it names no protocol"),
    "no number": ("PROTOCOL = 1", "PROTOCOL = True", "it speaks protocol True"),
    "broken": ("PROTOCOL = 1", "raise OSError('\\x1b[31mno')", "it cannot be loaded (OSError: "),
    "no module": ("PROTOCOL = 1", "import nowhere_at_all", "ModuleNotFoundError"),
    "no list": ("DETECTORS = [MINE]", "DETECTORS = MINE", "it has no DETECTORS"),
    "no detector": ("DETECTORS = [MINE]", "DETECTORS = [1]", "one of its DETECTORS is none"),
    "a name that is taken": ("mine-shell", "deleted-executable", "a name that is taken: deleted-executable"),
    "twice": ("[MINE]", "[MINE, MINE]", "a name that is taken: mine-shell"),
    "no severity": ('severity="low"', 'severity="worst"', "(mine-shell) has no severity of info, low"),
    "no text": ('why="Because."', "why=None", "has no text for one of name, title"),
    "no texts": ('next=["look"]', 'next="look"', "(mine-shell) has no list of texts for one of next"),
    "no pattern": ("look=look, ", "look=look, patterns=(1,), ", "(mine-shell) has patterns that are none"),
    "raises": ("    for process", "    1 / 0\n    for process", "mine-shell failed: ZeroDivisionError"),
    "no suspicion": ("yield Suspicion([", "yield ([", "mine-shell failed: TypeError: it gave a list"),
    "a bad severity": (")])\n", ')], severity="worst")\n', "mine-shell failed: TypeError: it gave a susp"),
    "bad evidence": ("pid=process.pid", 'pid="one"', "mine-shell failed: ValidationError: "),
    "no function": ("look=look", "look=3", "mine-shell failed: TypeError"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_plugin_is_a_note(name: str, tmp_path: Path) -> None:
    old, new, note = WRONG[name]
    assert old in GOOD
    install(tmp_path, GOOD.replace(old, new, 1))
    install(tmp_path, GOOD.replace("mine-shell", "other-shell"), "other")
    part = scan(tmp_path)
    said = [one for one in part["notes"] if "mine" in one]
    assert len(said) == 1, part["notes"]
    assert note in said[0]
    detectors = {finding["detector"] for finding in part["findings"]}
    assert "other-shell" in detectors, "the others are heard all the same"
    assert ("mine-shell" in detectors) == (name == "twice")


def test_a_note_is_safe_to_print(tmp_path: Path) -> None:
    install(tmp_path, "raise OSError('\\x1b[31mno')")
    ran = run(tmp_path, "scan", str(DATA / "podman-looper-crun.tar"))
    assert b"\x1b" not in ran.stdout + ran.stderr
    assert b"plugin mine of mine 1.2 is left out" in ran.stdout
