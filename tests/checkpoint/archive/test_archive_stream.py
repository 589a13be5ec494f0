"""Compressed archives and pipes: decompressed once, kept within a budget, found again or refused."""

from __future__ import annotations

import io
import random
import threading
from collections.abc import Sequence

import pytest
from archive_samples import Samples

from cryoscope import limits
from cryoscope.checkpoint.archive import (
    Archive,
    BytesSource,
    FileSource,
    Member,
    PipeSource,
    codec,
    open_archive,
)
from cryoscope.checkpoint.archive.hoard import Allowance, Hoard
from cryoscope.checkpoint.archive.tape import BlockTape
from cryoscope.errors import ArchiveError, ReadOnce

PACKED = ["tar+gzip", "tar+zstd", "tar+xz", "tar+bzip2"]
PAGES = random.Random(7).randbytes(600_000)
FILES = {
    "checkpoint/mm-1.img": b"mm" * 100,
    "checkpoint/pages-1.img": PAGES,
    "checkpoint/pages-2.img": PAGES[::-1],
    "checkpoint/pstree.img": b"tree",
}


class CountingSource(BytesSource):
    """Bytes that count how often they are read from the beginning."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data, "counted")
        self.passes = 0

    def read_at(self, offset: int, length: int) -> bytes:
        self.passes += offset == 0 and length > 512
        return super().read_at(offset, length)


@pytest.fixture
def small_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if pages-*.img were gigabytes."""
    monkeypatch.setattr(limits, "KEPT_MEMBER", 10_000)
    monkeypatch.setattr(limits, "KEPT_TOTAL", 100_000)
    monkeypatch.setattr(limits, "KEPT_FROM_PIPE", 100_000)


@pytest.mark.parametrize("form", PACKED)
def test_a_small_archive_is_read_once_and_kept(samples: Samples, form: str) -> None:
    source = CountingSource(samples.packers[form](samples.tar(FILES)))
    with open_archive(source) as archive:
        assert archive.form == form
        for name in reversed(FILES):
            assert archive.read(name) == FILES[name]
        assert archive.read_at("checkpoint/pages-2.img", 300_000, 10) == PAGES[::-1][300_000:300_010]
    assert source.passes == 1


@pytest.mark.usefixtures("small_budget")
def test_kept_ranges_are_served_from_memory(samples: Samples) -> None:
    asked = []

    def keep(member: Member, archive: Archive) -> Sequence[tuple[int, int]]:
        asked.append((member.name, archive.read("checkpoint/mm-1.img")))
        return [(5000, 300), (4000, 1100), (599_990, 500), (-5, 10), (700_000, 5)]

    source = CountingSource(samples.packers["tar+zstd"](samples.tar(FILES)))
    with open_archive(source, keep=keep) as archive:
        assert [name for name, _ in asked] == ["checkpoint/pages-1.img", "checkpoint/pages-2.img"]
        assert all(data == FILES["checkpoint/mm-1.img"] for _, data in asked)
        for name in ("checkpoint/pages-2.img", "checkpoint/pages-1.img"):
            for offset, length in ((4000, 1300), (5299, 1), (599_990, 10), (0, 5)):
                assert archive.read_at(name, offset, length) == FILES[name][offset : offset + length]
        assert archive.read("checkpoint/pstree.img") == b"tree"
        assert source.passes == 1
        assert archive.read("checkpoint/pages-1.img") == PAGES
        assert source.passes == 2


@pytest.mark.usefixtures("small_budget")
@pytest.mark.parametrize("form", PACKED)
def test_the_rest_is_found_again(samples: Samples, form: str) -> None:
    source = CountingSource(samples.packers[form](samples.tar(FILES)))
    with open_archive(source) as archive:
        with archive.open("checkpoint/pages-1.img") as file:
            assert b"".join(iter(lambda: file.read(50_000), b"")) == PAGES
        assert archive.read("checkpoint/pages-2.img") == PAGES[::-1]
        assert source.passes == 2
        assert archive.read_at("checkpoint/pages-1.img", 1, 5) == PAGES[1:6]
        assert source.passes == 3


def test_large_members_make_way_for_small_ones(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KEPT_MEMBER", 10_000)
    monkeypatch.setattr(limits, "KEPT_TOTAL", 605_000)
    files = {**FILES, "late": b"x" * 9000}
    source = CountingSource(samples.packers["tar+gzip"](samples.tar(files)))
    with open_archive(source, keep=lambda *_: [(10, 20)]) as archive:
        assert archive.read("late") == files["late"]
        assert archive.read_at("checkpoint/pages-1.img", 12, 18) == PAGES[12:30]
        assert source.passes == 1
        assert archive.read("checkpoint/pages-1.img") == PAGES
        assert source.passes == 2


@pytest.mark.usefixtures("small_budget")
def test_keep_may_fail_and_cannot_recurse(samples: Samples) -> None:
    def keep(member: Member, archive: Archive) -> Sequence[tuple[int, int]]:
        archive.read("checkpoint/pages-1.img")
        raise AssertionError("it was not kept")

    packed = samples.packers["tar+zstd"](samples.tar(FILES))
    with open_archive(BytesSource(packed, "x"), keep=keep) as archive:
        assert archive.read("checkpoint/pages-2.img") == PAGES[::-1]


@pytest.mark.parametrize("form", ["tar", *PACKED])
def test_pipes(samples: Samples, form: str) -> None:
    stream = io.BytesIO(samples.packers[form](samples.tar(FILES)))
    with open_archive(PipeSource(stream, "<stdin>")) as archive:
        assert (archive.form, archive.size) == (form, None)
        for name in reversed(FILES):
            assert archive.read(name) == FILES[name]


@pytest.mark.usefixtures("small_budget")
@pytest.mark.parametrize("form", ["tar", *PACKED])
def test_a_pipe_cannot_be_read_twice(samples: Samples, form: str) -> None:
    stream = io.BytesIO(samples.packers[form](samples.tar(FILES)))
    with open_archive(PipeSource(stream, "<stdin>"), keep=lambda *_: [(100, 50)]) as archive:
        assert archive.read("checkpoint/pstree.img") == b"tree"
        assert archive.read_at("checkpoint/pages-1.img", 110, 40) == PAGES[110:150]
        with pytest.raises(ReadOnce) as caught:
            archive.read("checkpoint/pages-1.img")
        assert "file" in caught.value.hint


def test_pipe_source_is_forward_only() -> None:
    source = PipeSource(io.BytesIO(bytes(range(256)) * 20_000), "<stdin>")
    assert source.read_at(0, 16) == bytes(range(16))
    assert source.read_at(0, 4) == bytes(range(4))
    assert source.read_at(256 * 10_000 + 5, 3) == bytes([5, 6, 7])
    with pytest.raises(ReadOnce):
        source.read_at(3, 1)
    assert source.read_at(256 * 20_000 - 2, 10) == bytes([254, 255])
    assert source.read_at(256 * 20_000 + 99, 10) == b""
    assert (source.fingerprint(), source.size) == (None, None)
    source.close()
    assert source.read_at(0, 1) == b""


def test_a_broken_pipe_is_an_archive_error() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("Input/output error")

    with pytest.raises(ArchiveError, match="Input/output error"):
        open_archive(PipeSource(Broken(), "<stdin>"))


@pytest.mark.parametrize("form", PACKED)
def test_several_streams_in_one_file(samples: Samples, form: str) -> None:
    data = samples.tar(FILES)
    pack = samples.packers[form]
    pieces = [data[at : at + 70_001] for at in range(0, len(data), 70_001)]
    packed = b"".join(map(pack, pieces))
    with samples.open(packed) as archive:
        assert archive.damaged == []
        assert archive.read("checkpoint/pages-2.img") == PAGES[::-1]


def test_thousands_of_tiny_streams(samples: Samples) -> None:
    data = samples.tar({"a": b"1"})
    pack = samples.packers["tar+gzip"]
    packed = pack(b"") * 3000 + b"".join(pack(data[at : at + 8]) for at in range(0, len(data), 8))
    with samples.open(packed) as archive:
        assert archive.read("a") == b"1"
        assert archive.damaged == []


def test_zstd_skippable_frames(samples: Samples) -> None:
    frame = b"\x53\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"skip!"
    data = samples.tar(FILES)
    pack = samples.packers["tar+zstd"]
    packed = frame + pack(data[:1000]) + frame + pack(data[1000:]) + frame
    with samples.open(packed) as archive:
        assert archive.form == "tar+zstd"
        assert archive.damaged == []
        assert archive.read("checkpoint/pages-1.img") == PAGES


def test_bombs(samples: Samples, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RATIO_FLOOR", 1 << 20)
    monkeypatch.setattr(limits, "RATIO", 100)
    data = samples.tar({"first": b"1", "zeros": bytes(40 << 20), "last": b"3"})
    with samples.open(samples.packers[form](data)) as archive:
        if form == "tar":
            assert archive.damaged == []
            return
        assert archive.read("first") == b"1"
        assert "last" not in archive
        assert archive.damaged[0].code == "limit.ratio"


def test_decompressed_limit(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "DECOMPRESSED", 100_000)
    with samples.open(samples.packers["tar+zstd"](samples.tar(FILES))) as archive:
        assert {one.code for one in archive.damaged} == {"limit.decompressed", "archive.truncated"}


@pytest.mark.parametrize("form", ["tar+zstd", "tar+xz"])
def test_memory_of_the_decompressor_is_bounded(
    samples: Samples, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = samples.packers[form](samples.tar({"noise": random.Random(8).randbytes(300_000)}))
    monkeypatch.setattr(limits, "WINDOW", 1 << 16)
    monkeypatch.setattr(limits, "MIB", 0)
    with pytest.raises(ArchiveError, match="memory"):
        samples.open(packed)


def test_progress_is_told(samples: Samples) -> None:
    packed = samples.packers["tar+gzip"](samples.tar(FILES))
    told: list[tuple[int, int | None]] = []
    with open_archive(BytesSource(packed, "x"), progress=lambda *now: told.append(now)):
        assert told[-1] == (len(packed), len(packed))


@pytest.mark.usefixtures("small_budget")
def test_threads_read_one_archive(samples: Samples) -> None:
    archive = samples.open(samples.packers["tar+zstd"](samples.tar(FILES)))
    wrong: list[str] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(40):
            name = chance.choice(list(FILES))
            offset, length = chance.randrange(600_000), chance.randrange(5000)
            if archive.read_at(name, offset, length) != FILES[name][offset : offset + length]:
                wrong.append(name)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    archive.close()


def test_random_reads_agree_with_the_file(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KEPT_MEMBER", 3000)
    monkeypatch.setattr(limits, "KEPT_TOTAL", 20_000)
    chance = random.Random(9)
    files = {f"f{number}": chance.randbytes(chance.choice([10, 2999, 3001, 9000])) for number in range(30)}
    packed = samples.packers["tar+zstd"](samples.tar(files))

    def keep(member: Member, _: Archive) -> list[tuple[int, int]]:
        return [(chance.randrange(member.size), 700) for _ in range(chance.randrange(4))]

    with open_archive(BytesSource(packed, "x"), keep=keep) as archive:
        for _ in range(400):
            name = chance.choice(list(files))
            offset, length = chance.randrange(9000), chance.randrange(4000)
            assert archive.read_at(name, offset, length) == files[name][offset : offset + length]


def test_block_tape_repeats_and_refuses() -> None:
    tape = BlockTape(iter([b"0123", b"4567", b"89"]))
    assert tape.read(2, 4) == b"2345"
    assert tape.read(2, 4) == b"2345"
    assert tape.read(3, 1) == b"3"
    assert tape.read(7, 10) == b"789"
    assert tape.length == 10
    assert tape.read(20, 1) == b""
    with pytest.raises(ReadOnce):
        tape.read(0, 1)


def test_hoard_evicts_but_keeps_pins() -> None:
    allowance = Allowance(1000)
    hoard = Hoard(allowance)
    assert hoard.reserve(700, evict=False)
    hoard.put(5000, b"a" * 300)
    hoard.put(5300, b"b" * 400)
    hoard.spare(5000, 5700, [(5290, 5310)])
    assert not hoard.reserve(600, evict=False)
    assert hoard.reserve(600, evict=True)
    hoard.put(100, b"c" * 600)
    assert hoard.find(5290, 99) == b"a" * 10 + b"b" * 10
    assert hoard.find(5000, 1) == b""
    assert hoard.find(150, 2) == b"cc"
    assert hoard.next_start(700, 9999) == 5290
    hoard.clear()
    assert (allowance.room, hoard.find(150, 2)) == (1000, b"")


@pytest.mark.parametrize("head", [b"", b"\x1f", b"BZh9garbage!", b"\x28\xb5", b"BZh"])
def test_what_is_not_packed(head: bytes) -> None:
    assert codec.sniff(head) is None


def test_errors_close_the_source(tmp_path: object, samples: Samples) -> None:
    import os

    path = os.path.join(str(tmp_path), "text")
    with open(path, "w") as file:
        file.write("text")
    source = FileSource(path)
    with pytest.raises(ArchiveError):
        open_archive(source)
    with pytest.raises(ArchiveError):
        source.read_at(0, 1)
