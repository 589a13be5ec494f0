"""The cache: private, whole or not at all, never stale, believed only where it is the user's own."""

from __future__ import annotations

import os
import re
import shutil
import stat
from pathlib import Path

import pytest

from cryoscope.workflows.cache import FolderCache, default_folder
from cryoscope.workflows.examine import Asking
from cryoscope.workflows.members import list_archives
from cryoscope.workflows.overview import show
from forked import run_all

PACKED = "podman-looper-crun.tar.gz"
SECRETS = re.compile(
    rb"SECRET=|MARKER-|RANDOM_1432|CTRD_SECRET|DOCKER_SECRET|APP_ENV|prod-crun|c0ffee|PATH=/"
)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() or path.is_symlink()]


def names(target: Path, cache: FolderCache) -> list[str]:
    [part] = list_archives([str(target)], Asking(cache=cache)).document.archives
    return [member.name for member in part.members]


@pytest.fixture
def packed(data: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(data / PACKED, tmp_path / "a.tar.gz"))


def test_only_the_user_may_read_it(data: Path, private_cache: Path) -> None:
    os.umask(os.umask(0o000))
    run_all([["show", PACKED], ["ps", PACKED], ["list", "."]], cwd=data)
    found = files(private_cache)
    assert found
    for path in found:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert not path.name.startswith("."), "a partial file was left"


def test_nothing_secret_is_in_it(data: Path, private_cache: Path) -> None:
    everything = [path.name for path in data.iterdir()]
    asked = [["show", *everything], ["inspect", "--all", "--reveal", *everything], ["env", *everything]]
    run_all([*asked, ["ls", *everything], ["log", *everything]], cwd=data, timeout=60)
    assert len(files(private_cache)) >= 4
    for path in files(private_cache):
        assert SECRETS.search(path.read_bytes()) is None


@pytest.mark.parametrize("command", ["ls", "show", "ps", "inspect"])
def test_it_is_never_stale(command: str, data: Path, packed: Path, tmp_path: Path) -> None:
    """Another archive in the place of the first, of the same size, with the same time."""
    other = data / "podman-looper-crun.tar.gz"
    facts = packed.stat()
    ask = [[command, "-f", "json", packed.name]]
    [first], [again] = run_all(ask, cwd=tmp_path), run_all(ask, cwd=tmp_path)
    assert first.out == again.out
    content = bytearray(other.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 64] = bytes(64)
    packed.write_bytes(content)
    os.utime(packed, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert (packed.stat().st_size, packed.stat().st_mtime_ns) == (facts.st_size, facts.st_mtime_ns)
    [now] = run_all(ask, cwd=tmp_path)
    assert now.code in (1, 3), "the damage in the new file was not seen"


def test_the_answer_is_the_same_with_without_and_from_it(data: Path, private_cache: Path) -> None:
    for command in ("show", "ls", "ps"):
        asked = [[command, PACKED], [command, PACKED], [command, "--no-cache", PACKED]]
        assert len({ran.out for ran in run_all(asked, cwd=data)}) == 1
    assert files(private_cache)


def test_without_it_nothing_is_written(data: Path, private_cache: Path) -> None:
    for ran in run_all([[c, "--no-cache", PACKED] for c in ("show", "ps", "ls", "info")], cwd=data):
        assert ran.code == 0
    assert files(private_cache) == []


def _random(path: Path) -> None:
    path.write_bytes(os.urandom(path.stat().st_size))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)


def _elsewhere(path: Path) -> None:
    target = path.parent.parent / f"elsewhere-{path.name}"
    path.rename(target)
    path.symlink_to(target)


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _anybody(path: Path) -> None:
    path.chmod(0o666)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("poison", [_random, _cut, _one_bit, _elsewhere, _fifo, _anybody, _folder])
def test_what_is_not_exactly_right_is_ignored(poison: object, data: Path, tmp_path: Path) -> None:
    cache = FolderCache(str(tmp_path / "cache"))
    expected = names(data / PACKED, cache)
    shown = show([str(data / PACKED)], Asking(cache=cache)).document.archives
    for path in files(tmp_path / "cache"):
        poison(path)  # type: ignore[operator]
    keys: list[str] = []
    cache.put = lambda key, _value: keys.append(key)  # type: ignore[method-assign]
    assert names(data / PACKED, cache) == expected
    assert show([str(data / PACKED)], Asking(cache=cache)).document.archives == shown
    assert len(keys) >= 2, "the entry was believed"


def test_the_entry_of_another_archive_is_ignored(tmp_path: Path) -> None:
    cache = FolderCache(str(tmp_path))
    cache.put("a", b"value")
    [path] = files(tmp_path)
    cache.put("b", b"other")
    [other] = [found for found in files(tmp_path) if found != path]
    other.write_bytes(path.read_bytes())
    assert (cache.get("a"), cache.get("b")) == (b"value", None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_file_of_another_user_is_ignored(data: Path, tmp_path: Path) -> None:
    cache = FolderCache(str(tmp_path / "cache"))
    cache.put("key", b"value")
    assert cache.get("key") == b"value"
    for path in files(tmp_path / "cache"):
        os.chown(path, 65534, 65534)
    assert cache.get("key") is None


def test_a_folder_that_cannot_be_written_is_silent(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for place in (str(tmp_path / "file"), "/proc/nowhere", "/dev/null"):
        for ran in run_all([["show", PACKED], ["ps", PACKED]], cwd=data, XDG_CACHE_HOME=place):
            assert ran.code == 0, ran
            assert b"cryoscope: 1 value masked" in ran.err or ran.err == b""


def test_a_relative_place_is_no_place(data: Path, tmp_path: Path) -> None:
    """The XDG specification; else evidence's own folder would be written to."""
    shutil.copy(data / PACKED, tmp_path / PACKED)
    (tmp_path / "home").mkdir()
    run_all([["show", PACKED]], cwd=tmp_path, XDG_CACHE_HOME="cache", HOME=str(tmp_path / "home"))
    assert not (tmp_path / "cache").exists()
    assert files(tmp_path / "home" / ".cache")


def test_it_is_told_and_cleared(data: Path, private_cache: Path) -> None:
    asked = [["show", PACKED], ["cache", "info"], ["cache", "clear"], ["cache", "info"]]
    _, before, cleared, after = run_all(asked, cwd=data)
    assert default_folder().encode() in before.out
    assert cleared.out.startswith(b"removed 2 files")
    assert b": 0 files, 0 B" in after.out
    assert files(private_cache) == []


def test_it_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cryoscope.workflows.cache.KEEP_ENTRIES", 20)
    cache = FolderCache(str(tmp_path))
    for number in range(200):
        cache.put(str(number), b"x")
    assert len(cache.entries()) < 60
    assert cache.get("199") == b"x"
