"""Archives that mean harm: no crash, no hang, no flood, no byte that a terminal obeys, nothing written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from every import check, commands, raw_controls
from forked import Ran, run_all
from hostile_archives import EVIL, FORGED, archives, header, link, many, pstree, read, tar

GOOD = Path(__file__).parent / "data" / "podman-looper-crun.tar"
MADE = dict(archives(GOOD))
SLOW = {"100000-images", "100000-members"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A working directory with a home beside it."""
    (tmp_path / "home").mkdir()
    (tmp_path / "cwd").mkdir()
    return tmp_path


def ask(place: Path, *targets: str | Path, everything: bool = True, timeout: float = 20) -> list[Ran]:
    """Everything asked of the targets, checked; the places outside the cache stay as they were."""
    before = listing(place)
    home = str(place / "home")
    asked = commands(*map(str, targets), everything=everything)
    found = run_all(asked, cwd=place / "cwd", timeout=timeout, HOME=home, XDG_CACHE_HOME=f"{home}/.cache")
    for ran in found:
        check(ran)
        if ran.arguments[0] != "log":  # whose lines are the container's own
            assert not any(line.startswith(FORGED.encode()) for line in (ran.out + ran.err).splitlines()), ran
    assert listing(place) == before, "something was written outside the cache"
    return found


def listing(place: Path) -> dict[str, tuple[int, int]]:
    """Every file but the cache, with size and time."""
    found = (path for path in place.rglob("*") if "home/.cache" not in str(path))
    return {str(p): (p.lstat().st_size, p.lstat().st_mtime_ns) for p in found if not p.is_dir()}


@pytest.mark.parametrize("name", sorted(set(MADE) - SLOW))
def test_every_command_survives(name: str, place: Path) -> None:
    archive = place / "cwd" / "a.tar"
    archive.write_bytes(MADE[name]())
    found = ask(place, "a.tar", everything=name == "evil-strings")
    failed = [ran for ran in found if ran.code]
    assert all(ran.err for ran in failed), "an exit code without a word of why"


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(MADE))
def test_every_command_in_every_format_survives(name: str, place: Path) -> None:
    (place / "cwd" / "a.tar").write_bytes(MADE[name]())
    ask(place, "a.tar", timeout=60)


def test_evil_strings_are_shown_spelled_out(place: Path) -> None:
    (place / "cwd" / "a.tar").write_bytes(MADE["evil-strings"]())
    [ps, files] = run_all([["ps", "a.tar"], ["files", "a.tar"]], cwd=place / "cwd")
    assert b"\\e]0;title\\x07\\e[2J\\x9b31m\\u202e" in ps.out + files.out
    assert raw_controls(ps.out + files.out) == []


def test_evil_names_of_archives(place: Path) -> None:
    """The name of a file is a stranger's word too: a shell's * hands it over as it is."""
    names = ["a\n==> b <==\x1b[31m.tar", os.fsdecode(b"\xff\x9b.tar"), "-n.tar", "b::c.tar"]
    for name in names:
        shutil.copy(GOOD, place / "cwd" / name)
    given = [f"./{name}" for name in names]
    for ran in ask(place, *given, timeout=40):
        assert b"\n==> b" not in ran.out
        assert ran.code == 0, ran
    [listed] = run_all([["list", "."]], cwd=place / "cwd")
    check(listed, codes=[0])


def test_cat_on_a_terminal_is_the_only_one_that_changes_bytes(place: Path) -> None:
    (place / "cwd" / "a.tar").write_bytes(tar({"evil": EVIL.encode()}))
    [ran] = run_all([["cat", "a.tar", "evil"]], cwd=place / "cwd")
    assert ran.out == EVIL.encode()


# --- what is no archive ---------------------------------------------------------------------
def test_devices_and_folders_without_images(place: Path) -> None:
    (place / "cwd" / "empty").mkdir()
    (place / "cwd" / "other").mkdir()
    (place / "cwd" / "other" / "notes.txt").write_text("x")
    for target in ("/dev/null", "/dev/zero", "empty", "other"):
        codes = {ran.code for ran in ask(place, target, everything=False) if ran.arguments[0] != "ls"}
        assert codes == {1}, target


def test_a_fifo_in_a_folder_does_not_hang(place: Path) -> None:
    folder = place / "cwd" / "folder"
    shutil.copytree(GOOD.parent / "docker-looper", folder)
    for name in ("core-1.img", "pages-9.img", "descriptors.json", "dump.log"):
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)
    for ran in ask(place, "folder", everything=False):
        assert ran.code == 1 if "--criu" in ran.arguments else ran.code in (0, 3), ran
    os.mkfifo(place / "cwd" / "fifo")
    assert {ran.code for ran in ask(place, "fifo", everything=False)} == {1}
    [ran] = run_all([["list", "."]], cwd=place / "cwd")
    check(ran, codes=[0, 3])


def test_folders_that_lead_out_or_back(place: Path) -> None:
    folder = place / "cwd" / "folder"
    shutil.copytree(GOOD.parent / "docker-looper", folder)
    (folder / "core-1.img").unlink()
    (folder / "core-1.img").symlink_to("/etc/passwd")
    (folder / "parent").symlink_to(".")
    (folder / "loop").symlink_to("..")
    for ran in ask(place, "folder"):
        assert b"root:" not in ran.out, "a link out of the folder was followed"


def test_a_file_that_may_not_be_read(place: Path) -> None:
    """As another user, where the tests run as root; the file's owner is told what to do."""
    secret = place / "cwd" / "secret.tar"
    shutil.copy(GOOD, secret)
    secret.chmod(0)
    command = [sys.executable, "-m", "cryoscope", "show", "--no-cache", str(secret)]
    if os.geteuid() == 0:
        for folder in (place, *list(place.parents)[:3]):
            folder.chmod(folder.stat().st_mode | 0o011)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    if b"No module named" in done.stderr:
        pytest.skip("another user cannot read this checkout")
    assert done.returncode == 1, done
    assert b"may not be read by you" in done.stderr
    assert len(done.stderr.splitlines()) == 2


# --- sizes ----------------------------------------------------------------------------------
def test_a_sparse_giant_costs_nothing(place: Path) -> None:
    """A member of 8 TiB of zeros, behind which the rest of the checkpoint lies."""
    path, size = place / "cwd" / "giant.tar", 1 << 43
    with path.open("wb") as file:
        file.write(header(b"checkpoint/pages-77.img", size))
        try:
            file.seek(512 + size)
            file.write(tar(read(GOOD)))
        except OSError:
            pytest.skip("this file system has no files of 8 TiB")
    assert {ran.code for ran in ask(place, "giant.tar", everything=False)} == {0}


def test_a_bomb_ends_at_the_named_limit(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip

    from cryoscope import limits
    from cryoscope.errors import CryoscopeError
    from cryoscope.workflows.open import open_at

    bomb = place / "bomb.tar.gz"
    data = header(b"checkpoint/pages-1.img", 64 << 20) + bytes(64 << 20)
    bomb.write_bytes(gzip.compress(tar({"checkpoint/inventory.img": b"x"})[:-10240] + data))
    monkeypatch.setattr(limits, "RATIO_FLOOR", 1 << 20)
    monkeypatch.setattr(limits, "RATIO", 100)
    try:
        with open_at(str(bomb)) as archive:
            codes = {found.code for found in archive.damaged}
    except CryoscopeError as error:
        codes = {error.code}
    assert any(code.startswith("limit.") for code in codes), codes


def test_a_hundred_thousand_members_beside_the_images(place: Path) -> None:
    (place / "cwd" / "a.tar").write_bytes(tar(read(GOOD))[:-10240] + many(100_000))
    for ran in run_all([["show", "a.tar"], ["ps", "a.tar"], ["ls", "a.tar"]], cwd=place / "cwd"):
        check(ran, codes=[0, 3])


SHAPES = {
    "wide": lambda _pid: 1,
    "deep": lambda pid: pid - 1,
    "orphans": lambda pid: pid + 2_000_000,
    "one circle": lambda pid: pid % 100_000 + 1,
}


@pytest.mark.long
@pytest.mark.parametrize("shape", SHAPES)
def test_a_hundred_thousand_processes(shape: str, place: Path) -> None:
    """More than any container has had; the bound of memory is met up to here."""
    parents = {pid: SHAPES[shape](pid) for pid in range(1, 100_001)}
    files = read(GOOD) | {"checkpoint/pstree.img": pstree(parents)}
    (place / "cwd" / "a.tar").write_bytes(tar(files))
    asked = [["show", "a.tar"], ["ps", "a.tar"], ["ps", "-f", "tree", "a.tar"], ["inspect", "a.tar"]]
    for ran in run_all(asked, cwd=place / "cwd", timeout=60):
        check(ran, codes=[0, 1, 3])


ENTRIES_DECODED = 1_500_000
"""KiB that a process may take whose images hold as many entries as limits.ENTRIES allows."""


@pytest.mark.long
def test_a_million_processes(place: Path) -> None:
    files = read(GOOD) | {"checkpoint/pstree.img": pstree(dict.fromkeys(range(2, 1_000_001), 1))}
    (place / "cwd" / "a.tar").write_bytes(tar(files))
    [ran] = run_all([["ps", "a.tar"]], cwd=place / "cwd", timeout=120)
    check(ran, codes=[3], memory=ENTRIES_DECODED)
    assert b"names 999999 processes: those from number 100000 on are left out" in ran.err


def test_links_are_listed_and_never_followed(place: Path) -> None:
    (place / "cwd" / "a.tar").write_bytes(tar(read(GOOD), link("checkpoint/core-1.img", "/etc/passwd")))
    [cat, ls] = run_all([["cat", "a.tar", "checkpoint/core-1.img"], ["ls", "a.tar"]], cwd=place / "cwd")
    assert cat.code == 1
    assert cat.out == b""
    assert b"checkpoint/core-1.img -> /etc/passwd" in ls.out
