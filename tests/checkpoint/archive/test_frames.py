"""zstd in frames with a seek table: the same bytes as any other zstd file, and read anywhere."""

from __future__ import annotations

import itertools
import random
import struct
from typing import Any

import pytest
from archive_samples import Samples
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoscope import limits
from cryoscope.checkpoint.archive import BytesSource, open_archive
from cryoscope.checkpoint.archive import frames as frames_module
from cryoscope.checkpoint.archive.frames import FRAME, FramedSource, FrameWriter, cuts, framed
from cryoscope.checkpoint.archive.seek_table import SeekTable, read_table
from cryoscope.errors import ArchiveError

zstd = frames_module.zstd()
PAGES = random.Random(4).randbytes(9 << 20)
FILES = {"checkpoint/inventory.img": b"i" * 600, "checkpoint/pages-1.img": PAGES, "config.dump": b"{}"}


class Counting(BytesSource):
    """Bytes in memory that know which of them were read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data, "sample")
        self.count = 0

    def read_at(self, offset: int, length: int) -> bytes:
        found = super().read_at(offset, length)
        self.count += len(found)
        return found


def pack(plain: bytes, *, piece: int = 1 << 20, **options: Any) -> bytes:
    out: list[bytes] = []
    with FrameWriter(lambda data: out.append(bytes(data)), **options) as writer:
        for start in range(0, len(plain), piece):
            writer.write(plain[start : start + piece])
    return b"".join(out)


def packed_tar(samples: Samples) -> tuple[bytes, bytes]:
    """A tar and the frames of it, cut at its large member."""
    plain = samples.tar(FILES)
    with samples.open(plain) as archive:
        return plain, pack(plain, cuts=cuts(archive.members.values()))


def table_of(data: bytes) -> SeekTable:
    table = read_table(BytesSource(data, "sample"))
    assert table is not None
    return table


def swapped(data: bytes, at: int, new: bytes) -> bytes:
    at %= len(data)
    return data[:at] + new + data[at + len(new) :]


# --- what is written ------------------------------------------------------------------------
@pytest.mark.parametrize("size", [0, 1, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME])
def test_zstd_itself_gives_the_plain_bytes_back(size: int) -> None:
    plain = PAGES[:size] + bytes(max(0, size - len(PAGES)))
    assert zstd.decompress(pack(plain)) == plain


def test_the_same_bytes_give_the_same_file_however_they_come_and_however_many_threads() -> None:
    first = pack(PAGES, workers=1)
    assert pack(PAGES, piece=777_777, workers=3) == first


def test_no_frame_is_longer_than_it_may_be_and_each_cut_ends_one() -> None:
    table = table_of(pack(PAGES, frame=1 << 20, cuts=[100, 5_000_000]))
    sizes = [b - a for a, b in itertools.pairwise(table.plain)]
    assert max(sizes) <= 1 << 20
    assert {100, 5_000_000} <= set(table.plain)
    assert table.size == len(PAGES)


def test_a_cut_behind_what_was_written_ends_the_frame_there() -> None:
    out: list[bytes] = []
    with FrameWriter(lambda data: out.append(bytes(data))) as writer:
        writer.write(b"a" * 100)
        writer.cut_at(50)  # too late: it is no cut
        writer.cut_at(100)
        writer.cut_at(130)
        writer.write(b"b" * 100)
    assert list(table_of(b"".join(out)).plain) == [0, 130, 200]


def test_large_members_have_frames_of_their_own(samples: Samples) -> None:
    plain, data = packed_tar(samples)
    with samples.open(plain) as archive:
        pages = archive.members["checkpoint/pages-1.img"]
    starts = set(table_of(data).plain)
    assert {pages.offset, pages.offset + pages.size} <= starts


def test_an_error_leaves_no_table() -> None:
    out: list[bytes] = []

    def stop_half_way() -> None:
        with FrameWriter(lambda data: out.append(bytes(data)), frame=1 << 16) as writer:
            writer.write(PAGES)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stop_half_way()
    assert out
    assert read_table(BytesSource(b"".join(out), "sample")) is None


def test_what_the_target_raises_is_raised() -> None:
    def full(_: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"), FrameWriter(full, frame=1 << 16) as writer:
        writer.write(PAGES)


# --- what is read ---------------------------------------------------------------------------
@given(st.integers(0, len(PAGES) + 10), st.integers(0, 6 << 20))
@settings(max_examples=60, deadline=None)
def test_any_range_equals_the_plain_bytes(offset: int, length: int) -> None:
    assert FRAMED.read_at(offset, length) == PAGES[offset : offset + length]


FRAMED = FramedSource(BytesSource(pack(PAGES, frame=1 << 20, cuts=[17, 4_000_001]), "sample"))


def test_the_opener_lists_and_reads_without_touching_the_pages(samples: Samples) -> None:
    plain, data = packed_tar(samples)
    source = Counting(data)
    with open_archive(source) as archive, samples.open(plain) as same:
        assert (archive.form, archive.size, archive.seekable) == ("tar+zstd", len(data), True)
        assert list(archive.members.values()) == list(same.members.values())
        assert archive.damaged == []
        assert archive.read("checkpoint/inventory.img") == FILES["checkpoint/inventory.img"]
        assert archive.read("config.dump") == b"{}"
        assert source.count < 10_000
        assert archive.read("checkpoint/pages-1.img") == PAGES


def test_one_page_costs_one_frame(samples: Samples) -> None:
    _, data = packed_tar(samples)
    source = Counting(data)
    with open_archive(source) as archive:
        before = source.count
        assert archive.read_at("checkpoint/pages-1.img", 5 << 20, 4096) == PAGES[5 << 20 :][:4096]
        assert source.count - before <= FRAME + 4096


def test_a_layer_of_an_image_is_read_by_its_frames(samples: Samples) -> None:
    _, data = packed_tar(samples)
    with samples.open(samples.tar({"layer": data})) as outer:
        inner = open_archive(outer.source("layer"))
        assert inner.seekable
        assert inner.read("config.dump") == b"{}"


def test_tables_without_checksums_and_with_notes_between_frames_are_read() -> None:
    one, two = zstd.compress(b"a" * 5000), zstd.compress(b"b" * 3000)
    note = struct.pack("<II", 0x184D2A50, 4) + b"note"
    entries = [(len(one), 5000), (len(note), 0), (len(two), 3000)]
    body = b"".join(struct.pack("<II", *entry) for entry in entries) + struct.pack("<IBI", 3, 0, 0x8F92EAB1)
    data = one + note + two + struct.pack("<II", 0x184D2A5E, len(body)) + body
    assert zstd.decompress(data) == b"a" * 5000 + b"b" * 3000
    source = framed(BytesSource(data, "sample"))
    assert source is not None
    assert source.read_at(4990, 20) == b"a" * 10 + b"b" * 10


def test_zstd_without_a_table_streams_as_ever(samples: Samples) -> None:
    with samples.open(zstd.compress(samples.tar(FILES))) as archive:
        assert not archive.seekable
        assert archive.damaged == []
        assert archive.read("config.dump") == b"{}"


# --- hostile and damaged --------------------------------------------------------------------
def lying(data: bytes, packed: int = 0, plain: int = 0, check: int = 0, entry: int = 0) -> bytes:
    """The file with numbers added to an entry of its table."""
    count = len(table_of(data))
    at = len(data) - 9 - 12 * (count - entry)
    row = struct.unpack_from("<III", data, at)
    wrong = [(old + add) % 2**32 for old, add in zip(row, (packed, plain, check), strict=True)]
    return swapped(data, at, struct.pack("<III", *wrong))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: lying(data, packed=1),
        lambda data: lying(data, packed=-1),
        lambda data: lying(data, plain=512),
        lambda data: lying(data, plain=-512),
        lambda data: lying(data, check=1),
        lambda data: swapped(data, -9, struct.pack("<I", 0xFFFFFFFF)),
        lambda data: swapped(data, -9, struct.pack("<I", 1000)),
        lambda data: swapped(data, -5, b"\xfc"),
        lambda data: lying(data, plain=1 << 31),
    ],
    ids=["longer", "shorter", "more", "less", "sum", "frames", "many", "reserved", "huge"],
)
def test_a_table_that_lies_is_named_and_the_file_read_from_its_beginning(samples: Samples, change) -> None:  # type: ignore[no-untyped-def]
    plain, data = packed_tar(samples)
    with samples.open(change(data)) as archive, samples.open(plain) as same:
        assert archive.damaged[0].code in ("archive.seek-table", "limit.frames")
        assert not archive.seekable
        assert list(archive.members) == list(same.members)
        assert archive.read("checkpoint/pages-1.img") == PAGES


def test_a_frame_that_the_table_hides_is_seen() -> None:
    hidden, shown = zstd.compress(b"h" * 5000), zstd.compress(b"s" * 5000)
    entries = [(len(hidden), 0), (len(shown), 5000)]
    body = b"".join(struct.pack("<II", *entry) for entry in entries) + struct.pack("<IBI", 2, 0, 0x8F92EAB1)
    data = hidden + shown + struct.pack("<II", 0x184D2A5E, len(body)) + body
    with pytest.raises(ArchiveError) as caught:
        framed(BytesSource(data, "sample"))
    assert caught.value.code == "archive.seek-table"


def test_two_frames_in_one_entry_are_an_error_when_they_are_read() -> None:
    both = zstd.compress(b"a" * 5000) + zstd.compress(b"b" * 5000)
    body = struct.pack("<II", len(both), 5000) + struct.pack("<IBI", 1, 0, 0x8F92EAB1)
    source = framed(BytesSource(both + struct.pack("<II", 0x184D2A5E, len(body)) + body, "sample"))
    assert source is not None
    with pytest.raises(ArchiveError) as caught:
        source.read_at(0, 10)
    assert caught.value.code == "archive.seek-table"


def test_a_bomb_of_frames_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RATIO_FLOOR", 1 << 20)
    with pytest.raises(ArchiveError) as caught:
        framed(BytesSource(pack(bytes(16 << 20)), "sample"))
    assert caught.value.code == "limit.ratio"


def test_a_flipped_bit_is_named_with_its_frame_and_the_other_frames_are_read(samples: Samples) -> None:
    plain, data = packed_tar(samples)
    table = table_of(data)
    with samples.open(plain) as same:
        pages = same.members["checkpoint/pages-1.img"].offset
    place = table.frame_at(pages + FRAME)
    at = table.packed[place] + 1000
    with samples.open(swapped(data, at, bytes([data[at] ^ 1]))) as archive:
        assert archive.read_at("checkpoint/pages-1.img", 0, FRAME) == PAGES[:FRAME]
        assert archive.read_at("checkpoint/pages-1.img", 2 * FRAME, 100) == PAGES[2 * FRAME :][:100]
        with pytest.raises(ArchiveError) as caught:
            archive.read_at("checkpoint/pages-1.img", FRAME, 100)
        assert caught.value.code == "archive.frame"
        assert f"frame {place} at byte {table.packed[place]}" in caught.value.message


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_is_flipped_the_bytes_are_right_or_it_is_an_error(data: st.DataObject) -> None:
    plain = SMALL
    whole = bytearray(PACKED_SMALL)
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        source = framed(BytesSource(bytes(whole), "sample"))
        found = source.read_at(0, len(plain) + 100) if source is not None else plain
    except ArchiveError:
        return  # anything else that is raised fails the test
    assert found == plain


SMALL = random.Random(5).randbytes(3000) + bytes(3000)
PACKED_SMALL = pack(SMALL, frame=1000)


def test_a_file_cut_anywhere_is_never_taken_for_whole() -> None:
    for length in range(0, len(PACKED_SMALL), 37):
        assert read_table(BytesSource(PACKED_SMALL[:length], "sample")) is None
