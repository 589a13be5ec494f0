"""The remembered index: right, or ignored."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from archive_samples import Samples
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive, FileSource, Member, cache, open_archive

PAGES = random.Random(1).randbytes(3_000_000)
LOOKED_AT = 512 + 17 + 2 * 65_536
"""Bytes read to see what a file is: its beginning, where a seek table would end, both for its fingerprint."""

NAME = b"caf\xe9".decode("utf-8", "surrogateescape")
FILES = {"checkpoint/mm-1.img": b"mm", "checkpoint/pages-1.img": PAGES, NAME: b"n", "last": b"end"}


class Memory(dict[str, bytes]):
    """An IndexCache."""

    def put(self, key: str, value: bytes) -> None:
        self[key] = value


class CountingSource(FileSource):
    """A file that counts the bytes read of it."""

    count = 0

    def read_at(self, offset: int, length: int) -> bytes:
        data = super().read_at(offset, length)
        self.count += len(data)
        return data


@pytest.fixture
def path(tmp_path: Path, samples: Samples) -> Path:
    path = tmp_path / "x.tar.zst"
    path.write_bytes(samples.packers["tar+zstd"](samples.tar(FILES)))
    return path


def facts(archive: Archive) -> tuple[object, ...]:
    return dict(archive.members), archive.damaged, archive.form, archive.size


def test_a_remembered_index_is_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory()
    with open_archive(FileSource(path), cache=memory) as first:
        expected = facts(first)
    assert len(memory) == 1
    monkeypatch.setattr("cryoscope.checkpoint.archive.opening.Walker", None)
    with open_archive(FileSource(path), cache=memory) as again:
        assert facts(again) == expected
        for name, data in FILES.items():
            assert again.read(name) == data


def test_nothing_is_streamed_until_it_is_read(path: Path) -> None:
    memory = Memory()
    open_archive(FileSource(path), cache=memory).close()
    source = CountingSource(path)
    with open_archive(source, cache=memory):
        assert source.count <= LOOKED_AT


def test_keep_is_asked_in_the_later_pass(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KEPT_MEMBER", 1000)
    monkeypatch.setattr(limits, "KEPT_TOTAL", 20_000)
    memory, asked = Memory(), []
    open_archive(FileSource(path), cache=memory).close()

    def keep(member: Member, archive: Archive) -> list[tuple[int, int]]:
        asked.append(archive.read("checkpoint/mm-1.img"))
        return [(300_000, 4096), (500_000, 10)]

    source = CountingSource(path)
    with open_archive(source, cache=memory, keep=keep) as archive:
        assert asked == []
        assert archive.read("last") == b"end"
        assert asked == [b"mm"]
        count = source.count
        assert archive.read_at("checkpoint/pages-1.img", 300_100, 3000) == PAGES[300_100:303_100]
        assert archive.read_at("checkpoint/pages-1.img", 500_002, 8) == PAGES[500_002:500_010]
        assert archive.read("checkpoint/mm-1.img") == b"mm"
        assert source.count == count
        assert archive.read("checkpoint/pages-1.img") == PAGES
        assert source.count > count


def test_a_sequential_read_after_a_hit_is_one_pass(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KEPT_MEMBER", 1000)
    monkeypatch.setattr(limits, "KEPT_TOTAL", 20_000)
    memory = Memory()
    open_archive(FileSource(path), cache=memory).close()
    source = CountingSource(path)
    keep = [(number * 50_000, 50) for number in range(60)]
    with open_archive(source, cache=memory, keep=lambda *_: keep) as archive:
        with archive.open("checkpoint/pages-1.img") as file:
            assert file.read() == PAGES
        assert source.count <= source.size + LOOKED_AT


def test_a_changed_file_has_another_key(path: Path) -> None:
    with FileSource(path) as source:
        before = source.fingerprint()
    path.write_bytes(path.read_bytes() + b"\0")
    with FileSource(path) as source:
        assert source.fingerprint() != before


def test_damage_is_remembered(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])
    memory = Memory()
    with (
        open_archive(FileSource(path), cache=memory) as first,
        open_archive(FileSource(path), cache=memory) as again,
    ):
        assert first.damaged
        assert facts(first) == facts(again)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_hostile_value_is_ignored(data: st.DataObject) -> None:
    good = value()
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(good) - 1))
        bad = good[:place] + data.draw(st.binary(min_size=1, max_size=9)) + good[place + 1 :]
    else:
        bad = data.draw(st.one_of(st.binary(max_size=80), st.just(good[:-1]), st.just(b"")))
    if bad != good:
        assert cache.load(bad, "key", "tar+zstd", 7) is None
    assert cache.load(good, "key", "tar+zstd", 7) is not None
    for key, form, size in (("other", "tar+zstd", 7), ("key", "tar+gzip", 7), ("key", "tar+zstd", 8)):
        assert cache.load(good, key, form, size) is None


def value(*members: Member) -> bytes:
    with Samples.open(Samples.tar({"a": b"1"})) as archive:
        archive.form, archive.size = "tar+zstd", 7
        for member in members:
            archive.add(member)
        return cache.dump(archive, "key")


@pytest.mark.parametrize(
    "member",
    [
        Member("../x/", "file"),
        Member("a//b", "file"),
        Member("", "file"),
        Member("n" * 5000, "file"),
        Member("x", "door"),
        Member("x", "file", size=-1),
        Member("x", "file", offset=-2),
        Member("x", "file", size=10, offset=0, runs=((5, 0, 10),)),
        Member("x", "file", size=10, offset=0, runs=((5, 0, 2), (4, 2, 1))),
        Member("x", "file", size=10, offset=0, runs=((0, 9, 2), (4, 2, 1))),
        Member("x", "file", size=10, offset=0, runs=((0, 0, -1),)),
    ],
)
def test_members_that_cannot_be(member: Member) -> None:
    assert cache.load(value(member), "key", "tar+zstd", 7) is None


def test_sparse_members_and_attributes_are_remembered() -> None:
    odd = Member(
        NAME, "file", 100, offset=5, runs=((3, 5, 7), (50, 12, 50)), xattrs={"user.x": b"\xff"}, atime_ns=7
    )
    found = cache.load(value(odd), "key", "tar+zstd", 7)
    assert found is not None
    assert found[0][-1] == odd
