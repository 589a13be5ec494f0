"""What a store must stand, wherever its catalogue is: kills at any instant, and two processes at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from forked import Ran, run_all
from tests.evidence import store_worker

ROOT = Path(__file__).resolve().parents[2]
SEEDS = ("1", "2", "3", "4")
KILLS = 25
"""With every seed a hundred for each of the verbs."""


class Place:
    """A store for the command line: its folder, its settings, and what a user would run."""

    def __init__(self, folder: Path, catalogue: str = "", more: str = "") -> None:
        self.folder = folder
        self.settings = folder / "settings.toml"
        self.settings.write_text(f'{more}\n[store]\ncatalogue = "{catalogue}"\n')
        self.home = folder / "home"
        self.variables = {
            "CRYOSCOPE_SETTINGS": str(self.settings),
            "CRYOSCOPE_HOME": str(self.home),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_CACHE_HOME": str(folder / "cache"),
        }
        self.environment = os.environ | self.variables

    def run(self, *arguments: str | Path, code: int = 0) -> bytes:
        """The standard output of a command that must end with that code."""
        done = self.ran(*arguments)
        assert done.returncode == code, done
        return done.stdout

    def ran(self, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "cryoscope", *map(str, arguments)],
            env=self.environment | more,
            capture_output=True,
            timeout=300,
            check=False,
        )

    def all(self, *commands: Sequence[str | Path]) -> list[Ran]:
        """Many commands, one after the other."""
        return run_all(commands, cwd=self.folder, **self.variables)

    def json(self, *arguments: str | Path, code: int = 0) -> list[dict[str, Any]]:
        """The archives of the document of a command."""
        found: list[dict[str, Any]] = json.loads(self.run(*arguments, "-f", "json", code=code))["archives"]
        return found

    def work(self, *arguments: str) -> Any:
        """What the worker said."""
        done = subprocess.run(
            [sys.executable, store_worker.__file__, *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
        )
        assert done.returncode == 0, done
        assert "Traceback" not in done.stderr, done.stderr
        return json.loads(done.stdout)

    def archive(self, seed: str) -> str:
        return store_worker.archive(str(self.folder), seed)

    def states(self, case: str) -> dict[str, str]:
        """The state of each piece."""
        [part] = self.json("case", "show", case)
        return {piece["sha256"]: piece.get("state", "kept") for piece in part.get("pieces", [])}


class StoreContract:
    """Tests of a `place`, a fixture of who inherits."""

    @pytest.fixture
    def case(self, place: Place) -> str:
        place.run("case", "new", "night")
        return "night"

    @pytest.mark.long
    @pytest.mark.parametrize("seed", SEEDS)
    def test_what_was_reported_as_kept_is_kept_whenever_an_add_is_killed(
        self, place: Place, case: str, seed: str
    ) -> None:
        said = place.work("killing", str(place.folder), case, str(KILLS), seed, "add")
        reported = {sha256 for each in said for sha256 in each}
        states = place.states(case)
        assert reported <= {sha256 for sha256, state in states.items() if state == "kept"}
        [verified] = place.json("case", "verify", case)
        assert verified["holds"]
        assert verified["pieces"] == len(states)
        cut = [each for each in said if len(each) < 2]
        assert len(cut) > KILLS // 3, "hardly a kill came while something was added"

    @pytest.mark.long
    @pytest.mark.parametrize("seed", SEEDS)
    def test_a_prune_that_is_killed_leaves_each_piece_whole_or_gone(
        self, place: Place, case: str, seed: str
    ) -> None:
        for number in range(KILLS // 5):
            place.run("case", "add", "--as-is", case, *(place.archive(f"p{number}-{n}") for n in range(11)))
        said = place.work("killing", str(place.folder), case, str(KILLS), seed, "prune")
        reported = {sha256 for each in said for sha256 in each}
        assert reported
        last = place.archive("after")
        place.run("case", "add", "--as-is", case, last)  # reopening ends what was begun
        states = place.states(case)
        assert {states[sha256] for sha256 in reported} == {"pruned"}
        assert set(states.values()) == {"kept", "pruned"}
        assert place.json("case", "verify", case)[0]["holds"]
        kept = [sha256 for sha256, state in states.items() if state == "kept"]
        blobs = [path.name[:64] for path in (place.home / "blobs" / "cases").rglob("*.tar*")]
        assert sorted(blobs) == sorted(kept)

    @pytest.mark.long
    @pytest.mark.parametrize("seed", SEEDS)
    def test_an_export_that_is_killed_has_no_folder_of_that_name(
        self, place: Place, case: str, seed: str
    ) -> None:
        place.run("case", "add", "--as-is", case, *(place.archive(f"e{number}") for number in range(4)))
        said = place.work("killing", str(place.folder), case, str(KILLS), seed, "export")
        reported = {name for each in said for name in each}
        there = {str(path) for path in place.folder.glob("bundle-*") if "incomplete" not in path.name}
        assert reported <= there
        for name in sorted(there)[:: max(1, len(there) // 4)]:
            place.run("case", "verify", "--bundle", name)
        assert place.json("case", "verify", case)[0]["holds"]

    def test_two_processes_on_one_case_lose_nothing_and_keep_no_archive_twice(
        self, place: Place, case: str
    ) -> None:
        mine, yours = place.work("adding", str(place.folder), case, "2", "3")
        assert len(mine) == len(yours) == 6
        assert mine[1::2] == yours[1::2]
        states = place.states(case)
        assert states.keys() == {*mine, *yours}
        assert len(states) == 9
        assert len([*(place.home / "blobs" / "cases").rglob("*.tar*")]) == 9
        [verified] = place.json("case", "verify", case)
        assert verified["holds"]
        assert verified["entries"] == 1 + 9
        assert not verified.get("notes")
