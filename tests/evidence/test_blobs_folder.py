"""Blobs in a folder: written once, whole or not at all, whatever happens to the process."""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cryoscope import durable as linking
from cryoscope.errors import Incomplete, UsageError
from cryoscope.evidence.blobs import open_blobs
from cryoscope.evidence.blobs.folder import FolderBlobs
from cryoscope.evidence.ports import BlobExists, BlobMissing, Blobs, EvidenceError

KEY = "pieces/ab/abcdef.bin"


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return open_blobs("", home=str(tmp_path / "home"))


def put(blobs: Blobs, key: str, data: bytes) -> None:
    with blobs.upload() as upload:
        upload.write(data)
        upload.commit(key)


def read(blobs: Blobs, key: str) -> bytes:
    source = blobs.source(key)
    try:
        return source.read_at(0, source.size or 0)
    finally:
        source.close()


def incoming(blobs: Blobs) -> list[str]:
    return sorted(os.listdir(os.path.join(blobs.url, "incoming")))


def test_what_was_committed_is_read_by_range(blobs: Blobs) -> None:
    with blobs.upload() as upload:
        upload.write(b"hello ")
        upload.write(memoryview(b"world"))
        upload.commit(KEY)
    source = blobs.source(KEY)
    assert (source.size, source.read_at(6, 3), source.read_at(9, 99)) == (11, b"wor", b"ld")
    source.close()
    assert blobs.size(KEY) == 11
    assert incoming(blobs) == []


def test_a_blob_is_written_once(blobs: Blobs) -> None:
    put(blobs, KEY, b"first")
    with pytest.raises(BlobExists):
        put(blobs, KEY, b"second")
    assert read(blobs, KEY) == b"first"
    assert incoming(blobs) == []


def test_nothing_is_seen_before_the_commit_and_nothing_stays_without_one(blobs: Blobs) -> None:
    with blobs.upload() as upload:
        upload.write(b"x" * 4096)
        assert list(blobs.keys()) == []
        assert blobs.size(KEY) is None
    with contextlib.suppress(ZeroDivisionError), blobs.upload() as upload:
        upload.write(b"x")
        raise ZeroDivisionError
    assert incoming(blobs) == []
    assert list(blobs.keys()) == []


def test_only_the_owner_may_read_files_and_folders(blobs: Blobs, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        put(open_blobs("", home=str(tmp_path / "other")), KEY, b"secret")
    finally:
        os.umask(before)
    for folder, _, files in os.walk(tmp_path / "other"):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
        assert [stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) for name in files] in ([], [0o600])


def test_keys_come_in_order_with_sizes_and_without_what_is_incoming(blobs: Blobs) -> None:
    for key, data in (("b/2", b"22"), ("a/1", b"1"), ("b/10", b""), ("c", b"333")):
        put(blobs, key, data)
    with blobs.upload() as upload:
        upload.write(b"not yet")
        assert list(blobs.keys()) == [("a/1", 1), ("b/10", 0), ("b/2", 2), ("c", 3)]
    assert list(blobs.keys("b/")) == [("b/10", 0), ("b/2", 2)]
    assert list(blobs.keys("b/1")) == [("b/10", 0)]
    assert list(blobs.keys("none")) == list(blobs.keys("none/x")) == []
    with pytest.raises(EvidenceError):
        list(blobs.keys("../"))


def test_what_was_deleted_is_gone_and_deleting_nothing_is_no_error(blobs: Blobs) -> None:
    put(blobs, KEY, b"data")
    blobs.delete(KEY)
    blobs.delete(KEY)
    blobs.delete("never/was")
    assert blobs.size(KEY) is None
    with pytest.raises(BlobMissing):
        blobs.source(KEY)
    put(blobs, KEY, b"anew")
    assert read(blobs, KEY) == b"anew"


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "..",
        "a/../b",
        "a//b",
        "a/",
        ".hidden",
        "a/.b",
        "a\0b",
        "a b",
        "a\nb",
        "é",
        "x" * 256,
    ],
)
def test_a_key_is_never_a_way_out(blobs: Blobs, key: str) -> None:
    refuses(blobs, key)


@pytest.mark.parametrize("key", ["incoming", "incoming/x"])
def test_what_is_incoming_is_no_blob(blobs: Blobs, key: str) -> None:
    refuses(blobs, key)


def refuses(blobs: Blobs, key: str) -> None:
    for question in (blobs.source, blobs.size, blobs.delete):
        with pytest.raises(EvidenceError) as told:
            question(key)
        assert told.value.code == "evidence.blob-key"
    with pytest.raises(EvidenceError), blobs.upload() as upload:
        upload.commit(key)
    assert incoming(blobs) == []


def test_a_link_in_the_place_of_a_blob_is_not_followed(blobs: Blobs, tmp_path: Path) -> None:
    put(blobs, KEY, b"data")
    (tmp_path / "elsewhere").write_bytes(b"else")
    path = Path(blobs.url, KEY)
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BlobMissing):
        blobs.source(KEY)
    assert list(blobs.keys()) == []


def test_sweeping_leaves_what_is_being_written(blobs: Blobs) -> None:
    with blobs.upload() as upload:
        upload.write(b"data")
        assert blobs.sweep(-1) == []
        upload.commit(KEY)
    assert read(blobs, KEY) == b"data"


def killed(url: str, key: str, step: str) -> None:
    """Write a blob in a process that kills itself right before `step`."""
    program = f"""
import os, signal
from cryoscope.evidence.blobs import open_blobs, folder
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
blobs = open_blobs({url!r}, home="")
with blobs.upload() as upload:
    upload.write(b"data")
    {step}
    upload.commit({key!r})
"""
    ended = subprocess.run([sys.executable, "-c", program], check=False)
    assert ended.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("step", "there"),
    [
        ("die()", False),
        ("os.fsync = die", False),
        ("folder.link = die", False),
        ("os.unlink = die", True),
    ],
)
def test_a_kill_leaves_a_whole_blob_or_none_and_sweeping_takes_the_rest(
    blobs: Blobs, step: str, there: bool
) -> None:
    killed(blobs.url, KEY, step)
    assert blobs.size(KEY) == (4 if there else None)
    left = incoming(blobs)
    assert len(left) == 1
    assert blobs.sweep(3600) == []
    assert blobs.sweep(-1) == left
    assert incoming(blobs) == []
    assert blobs.size(KEY) == (4 if there else None)


def _race(url: str, data: bytes, start: object, won: object) -> None:
    blobs = open_blobs(url, home="")
    with blobs.upload() as upload:
        upload.write(data)
        start.wait()  # type: ignore[attr-defined]
        with contextlib.suppress(BlobExists):
            upload.commit(KEY)
            won.put(data)  # type: ignore[attr-defined]


def test_of_processes_that_commit_one_key_at_once_one_wins(blobs: Blobs) -> None:
    context = multiprocessing.get_context("fork")
    start, won = context.Barrier(4), context.Queue()
    racers = [
        context.Process(target=_race, args=(blobs.url, bytes([number]) * 1000, start, won))
        for number in range(4)
    ]
    for racer in racers:
        racer.start()
    winner = won.get(timeout=60)
    for racer in racers:
        racer.join()
    assert won.empty()
    assert read(blobs, KEY) == winner
    assert incoming(blobs) == []


def test_uploads_and_sweeps_at_once_lose_nothing(blobs: Blobs) -> None:
    over = threading.Event()

    def sweep() -> None:
        while not over.is_set():
            blobs.sweep(-1)

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        for number in range(50):
            put(blobs, f"n/{number}", b"%d" % number)
    finally:
        over.set()
        sweeper.join()
    assert [read(blobs, f"n/{number}") for number in range(50)] == [b"%d" % number for number in range(50)]


def test_a_full_disk_is_an_error_with_a_cure(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with blobs.upload() as upload, monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(Incomplete) as told:
            upload.write(b"data")
    assert (told.value.code, bool(told.value.hint)) == ("evidence.disk-full", True)
    assert incoming(blobs) == []


def test_without_hard_links_a_blob_is_still_written_once(
    blobs: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    put(blobs, KEY, b"first")
    with pytest.raises(BlobExists):
        put(blobs, KEY, b"second")
    assert read(blobs, KEY) == b"first"
    assert incoming(blobs) == []
    with pytest.raises(FileNotFoundError):
        linking.rename(blobs.url + "/none", blobs.url + "/new")


def test_a_place_that_cannot_be_used_is_told_with_a_cure(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EvidenceError) as told:
        open_blobs(str(tmp_path / "file"), home="")
    assert (told.value.code, bool(told.value.hint)) == ("evidence.folder", True)
    with pytest.raises(UsageError) as asked:
        open_blobs("ftp://somewhere/x", home="")
    assert asked.value.code == "evidence.blobs-url"


def test_the_room_that_is_left_is_that_of_the_disk(blobs: Blobs) -> None:
    status = os.statvfs(blobs.url)
    free = blobs.free()
    assert free is not None
    assert 0 <= free <= status.f_blocks * status.f_frsize


def test_an_old_file_of_a_living_writer_is_not_old(tmp_path: Path) -> None:
    blobs = FolderBlobs(str(tmp_path / "b"))
    with blobs.upload() as upload:
        upload.write(b"data")
        path = os.path.join(blobs.url, "incoming", incoming(blobs)[0])
        long_ago = time.time() - 10 * 86400
        os.utime(path, (long_ago, long_ago))
        assert blobs.sweep(86400) == []
        upload.commit(KEY)
    assert read(blobs, KEY) == b"data"
