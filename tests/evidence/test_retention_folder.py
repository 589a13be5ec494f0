"""A kubelet's folder: its archives go by rules, and nothing else that lies there."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from cryoscope.errors import UsageError
from cryoscope.settings import Retention
from cryoscope.workflows import prune_folder as prune_folder_module
from cryoscope.workflows.prune import PrunePart
from cryoscope.workflows.prune_folder import prune_folder

ONE = [Retention(count=1)]
DATA = Path(__file__).parent.parent / "data"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


def name_of(day: int, container: str = "web", namespace: str = "default", pod: str = "p-0") -> str:
    return f"checkpoint-{pod}_{namespace}-{container}-2026-10-{day:02}T10:00:00Z.tar"


def archive(folder: Path, name: str, size: int = 10) -> Path:
    path = folder / name
    path.write_bytes(b"x" * size)
    return aged(path)


def aged(path: Path) -> Path:
    old = time.time() - 86400
    os.utime(path, (old, old))
    return path


def part(folder: Path, rules: list[Retention], *, dry_run: bool = False) -> PrunePart:
    [found] = prune_folder(str(folder), rules, dry_run=dry_run).document.archives
    return found  # type: ignore[no-any-return]


def left(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_dry_run_is_what_happens_unless_it_is_said(folder: Path) -> None:
    names = [archive(folder, name_of(day)).name for day in (1, 2, 3)]
    [found] = prune_folder(str(folder), ONE).document.archives
    assert [(each.name, each.done) for each in found.gone] == [(names[0], False), (names[1], False)]
    assert left(folder) == names


def test_the_oldest_go_by_the_time_in_their_names(folder: Path) -> None:
    newest = archive(folder, name_of(9))
    later = "checkpoint-p-0_default-web-2026-10-08T23:30:00-05:00.tar"  # the 9th at 04:30 in UTC
    for name in (name_of(3), name_of(1), later):
        archive(folder, name)
    found = part(folder, [Retention(count=2)])
    assert [each.name for each in found.gone] == [name_of(1), name_of(3)]
    assert (found.freed, found.kept) == (20, 2)
    assert left(folder) == sorted([newest.name, later])


def test_by_age_and_by_size(folder: Path) -> None:
    for day in (1, 2, 3):
        archive(folder, name_of(day), 100)
    assert [each.name for each in part(folder, [Retention(size="250")], dry_run=True).gone] == [name_of(1)]
    assert len(part(folder, [Retention(age="1s")], dry_run=True).gone) == 3
    assert part(folder, [Retention(age="500y")], dry_run=True).gone == []


def test_what_is_no_archive_of_a_kubelet_is_left(folder: Path, tmp_path: Path) -> None:
    outside = archive(tmp_path, "outside")
    (folder / name_of(1)).symlink_to(outside)
    (folder / name_of(2)).mkdir()
    os.mkfifo(folder / name_of(3))
    for name in ("notes.txt", "checkpoint-web.tar", name_of(4) + ".incomplete", "x" + name_of(5)):
        archive(folder, name)
    archive(folder, name_of(6).replace("2026-10", "2026-13"))
    before = left(folder)
    found = part(folder, [Retention(age="1s")])
    assert (found.gone, found.kept) == ([], 0)
    assert left(folder) == before
    assert outside.exists()


def test_what_is_pinned_stays_and_is_not_counted(folder: Path) -> None:
    for day in (1, 2, 3):
        archive(folder, name_of(day))
    archive(folder, name_of(1) + ".keep", 0)
    assert [each.name for each in part(folder, ONE).gone] == [name_of(2)]
    assert left(folder) == sorted([name_of(1), name_of(1) + ".keep", name_of(3)])


def test_what_is_pinned_after_it_was_chosen_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = archive(folder, name_of(1))
    archive(folder, name_of(2))
    plain = prune_folder_module.chosen

    def late(*told: object) -> object:
        doomed = plain(*told)  # type: ignore[arg-type]
        archive(folder, first.name + ".keep", 0)
        return doomed

    monkeypatch.setattr(prune_folder_module, "chosen", late)
    [gone] = part(folder, ONE).gone
    assert (gone.done, "pinned" in str(gone.left)) == (False, True)
    assert first.exists()


def test_what_is_open_stays(folder: Path) -> None:
    first = archive(folder, name_of(1))
    archive(folder, name_of(2))
    with first.open("rb") as file, subprocess.Popen(["sleep", "600"], stdin=file) as reader:
        try:
            [gone] = part(folder, ONE).gone
        finally:
            reader.kill()
    assert (gone.done, "open" in str(gone.left)) == (False, True)
    assert first.exists()
    assert [each.done for each in part(folder, ONE).gone] == [True]
    assert not first.exists()


def test_what_is_being_written_stays(folder: Path) -> None:
    young = archive(folder, name_of(1))
    os.utime(young)
    archive(folder, name_of(2))
    [gone] = part(folder, ONE).gone
    assert (gone.done, "written" in str(gone.left)) == (False, True)
    assert young.exists()


def test_a_file_that_was_exchanged_meanwhile_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = archive(folder, name_of(1))
    archive(folder, name_of(2))
    plain = prune_folder_module.remove

    def exchanged(place: str, name: str, identity: tuple[int, int]) -> str | None:
        archive(folder, "new").rename(first)
        return plain(place, name, identity)

    monkeypatch.setattr(prune_folder_module, "remove", exchanged)
    [gone] = part(folder, ONE).gone
    assert (gone.done, "another file" in str(gone.left)) == (False, True)
    assert first.exists()


def real(folder: Path, day: int, name: str = "crio-counter.tar", **names: str) -> str:
    """A real archive of the container `counter` in the pod `counters` of `team-b`."""
    place = {"container": "counter", "namespace": "team-b", "pod": "counters"} | names
    target = folder / name_of(day, **place)
    shutil.copy(DATA / name, target)
    return aged(target).name


def test_whose_an_archive_is_comes_from_it_and_its_name_together(folder: Path) -> None:
    mine = [real(folder, day) for day in (1, 2)]
    # the same letters, but the archive says otherwise: namespace `team`, container `b-counter`
    other = [real(folder, day, "containerd-counter.tar", namespace="default") for day in (3, 4)]
    unknown = [archive(folder, name_of(day)).name for day in (5, 6)]
    forged = [real(folder, day, pod="elsewhere") for day in (7, 8)]
    for per in ("container", "pod", "namespace"):
        found = part(folder, [Retention(per=per, count=1)], dry_run=True)
        assert [each.name for each in found.gone] == [mine[0], other[0]]
        assert sorted(note.partition(": ")[0] for note in found.notes) == sorted(unknown + forged)
    assert part(folder, ONE, dry_run=True).notes == []


def test_a_folder_that_is_not_there_and_rules_that_make_no_sense_are_told(folder: Path) -> None:
    for place, rules, code in (
        (folder / "none", ONE, "prune.folder"),
        (folder, [Retention(per="case", count=1)], "retention.per"),
        (folder, [Retention(age="x")], "retention.age"),
    ):
        with pytest.raises(UsageError) as told:
            prune_folder(str(place), rules)
        assert (told.value.code, bool(told.value.hint)) == (code, True)


def test_a_folder_of_another_user_is_told_by_its_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = archive(folder, name_of(1))
    archive(folder, name_of(2))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "unlink", refuse)
    [gone] = part(folder, ONE).gone
    assert (gone.done, "Permission denied" in str(gone.left)) == (False, True)
    assert first.exists()
