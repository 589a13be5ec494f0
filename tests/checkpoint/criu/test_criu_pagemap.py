"""Page maps: the columns, the light path and protobuf say the same of whatever is in them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random
from struct import pack
from typing import Any

import pytest
from criu_samples import corpus_images, framed, of
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cryoscope import limits
from cryoscope.checkpoint.criu import pagemap, pagemap_columns
from cryoscope.checkpoint.criu.messages import encode, message_class
from cryoscope.checkpoint.criu.pagemap import PagemapEntry
from cryoscope.errors import Damaged, ImageError, ImageUnsupported, LimitExceeded

HEAD = framed(b"\x08\x07")


def entry(**fields: Any) -> bytes:
    return framed(encode(message_class("pagemap_entry")(**fields)))


def new(vaddr: int, pages: int, flags: int = 4) -> bytes:
    return entry(vaddr=vaddr, compat_nr_pages=0, flags=flags, nr_pages=pages)


def rows(columns: pagemap.Pagemap) -> list[PagemapEntry]:
    lists = (columns.vaddr, columns.pages, columns.flags, columns.offset)
    return [PagemapEntry(*row) for row in zip(*(column.tolist() for column in lists), strict=True)]


def oracle(payloads: list[bytes], page_size: int = 4096) -> list[PagemapEntry]:
    """What criu/pagemap.c makes of entries that protobuf decodes."""
    out, offset = [], 0
    for payload in payloads:
        m = message_class("pagemap_entry").FromString(payload)
        pages = m.nr_pages if m.HasField("nr_pages") else m.compat_nr_pages
        flags = m.flags
        if m.in_parent:
            flags |= 1
        elif not m.HasField("flags"):
            flags = 4
        out.append(PagemapEntry(m.vaddr, pages, flags, offset if flags & 4 else -1))
        offset += pages * page_size if flags & 4 else 0
    return out


def both(data: bytes, page_size: int = 4096) -> tuple[list[PagemapEntry], list[Damaged]]:
    """The entries and the damage, after checking that both ways agree on them."""
    damaged: list[Damaged] = []
    light = list(pagemap.entries(data, name="p", page_size=page_size, damaged=damaged))
    columns = pagemap.columns(data, name="p", page_size=page_size)
    assert rows(columns) == light
    assert columns.damaged == damaged
    assert columns.pages_id == pagemap.pages_id(data)
    assert [str(c.dtype) for c in (columns.vaddr, columns.pages, columns.flags, columns.offset)] == [
        *("uint64", "uint64", "uint32", "int64"),
    ]
    return light, damaged


def test_the_new_layout() -> None:
    data = of("PAGEMAP", HEAD, new(0x1000, 2), new(0x4000, 1, 1), new(0x6000, 3, 2), new(0x9000, 200, 6))
    assert both(data)[0] == [
        (0x1000, 2, 4, 0),
        (0x4000, 1, 1, -1),
        (0x6000, 3, 2, -1),
        (0x9000, 200, 6, 8192),
    ]
    assert pagemap.pages_id(data) == 7


def test_the_layout_before_42() -> None:
    data = of(
        "PAGEMAP",
        HEAD,
        entry(vaddr=0x1000, compat_nr_pages=2, flags=4),
        entry(vaddr=0x4000, compat_nr_pages=1, flags=1),
    )
    assert both(data)[0] == [(0x1000, 2, 4, 0), (0x4000, 1, 1, -1)]


def test_entries_older_than_flags() -> None:
    old = [{"in_parent": True}, {"in_parent": False}, {}, {"in_parent": True, "flags": 4}]
    data = of(
        "PAGEMAP", HEAD, *(entry(vaddr=4096 * i, compat_nr_pages=1, **more) for i, more in enumerate(old))
    )
    assert [(e.flags, e.offset) for e in both(data)[0]] == [(1, -1), (4, 0), (4, 4096), (5, 8192)]


def test_an_image_of_the_first_version() -> None:
    assert both(of("PAGEMAP", HEAD, new(0x1000, 2))[4:])[0] == [(0x1000, 2, 4, 0)]


def test_nothing_but_a_head() -> None:
    assert both(of("PAGEMAP", HEAD)) == ([], [])


@pytest.mark.parametrize("page_size", limits.PAGE_SIZES)
def test_page_sizes(page_size: int) -> None:
    data = of("PAGEMAP", HEAD, new(0, 3), new(1 << 20, 1))
    assert both(data, page_size)[0][1].offset == 3 * page_size


def test_every_page_map_of_the_corpus(corpus: Path) -> None:
    old = new_ = 0
    for name, data in corpus_images(corpus).items():
        if "/pagemap-" not in name:
            continue
        found, damaged = both(data)
        assert not damaged
        assert found == oracle(_payloads(data)), name
        old, new_ = old + ("criu41" in name), new_ + ("criu41" not in name)
    assert old
    assert new_


def test_offsets_fill_the_pages_image(corpus: Path) -> None:
    folder = corpus / "criu-incremental" / "threads-full-1"
    for path in folder.glob("pagemap-*.img"):
        data = path.read_bytes()
        total = sum(e.pages * 4096 for e in pagemap.entries(data, name=path.name) if e.offset >= 0)
        assert total == (folder / f"pages-{pagemap.pages_id(data)}.img").stat().st_size


def _payloads(data: bytes) -> list[bytes]:
    from cryoscope.checkpoint.criu.framing import frames

    return [data[start:end] for start, end in frames(data, 8)][1:]


# --- whatever is in them --------------------------------------------------------------------
def varint(value: int, pad: int = 0) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    for _ in range(min(pad, 10 - len(out))):
        out[-1] |= 128
        out.append(0)
    return bytes(out)


numbers = st.one_of(
    st.sampled_from([0, 1, 127, 128, 1 << 12, 1 << 32, 0x7FFFFFFFF000, 0xFFFFFFFFFF600000, (1 << 64) - 1]),
    st.integers(0, (1 << 64) - 1),
)
addresses = st.integers(0, 1 << 35).map(lambda page: page << 12)
counts = st.one_of(st.integers(0, 300), st.integers(0, 1 << 20))
flag_bits = st.integers(0, 7)
pads = st.sampled_from([0, 0, 0, 0, 1, 3, 9])


@st.composite
def usual(draw: st.DrawFn) -> bytes:
    """An entry as some CRIU writes it, or with numbers longer than need be."""
    values = {1: draw(addresses)}
    if draw(st.booleans()):
        values |= {2: 0, 4: draw(flag_bits), 5: draw(counts)}
    else:
        values[2] = draw(counts)
        if draw(st.booleans()):
            values[4] = draw(flag_bits)
        if draw(st.booleans()):
            values[3] = draw(st.integers(0, 2))
    return b"".join(
        varint(number << 3, draw(st.sampled_from([0] * 9 + [1]))) + varint(v, draw(pads))
        for number, v in values.items()
    )


@st.composite
def strange(draw: st.DrawFn) -> bytes:
    """Known fields in any order and number, unknown ones of every wire type among them."""
    parts = []
    for _ in range(draw(st.integers(0, 7))):
        number = draw(st.sampled_from([1, 2, 3, 4, 5, 5, 4, 10, 15, 16, 5000]))
        wire = draw(st.sampled_from([0, 0, 0, 0, 0, 1, 2, 5]))
        value = draw(flag_bits) if number == 4 else draw(addresses) if number == 1 else draw(counts)
        body = {0: varint(value, draw(pads)), 1: bytes(8), 2: b"\x03abc", 5: bytes(4)}[wire]
        parts.append(varint(number << 3 | wire) + body)
    return b"".join(parts)


broken = st.one_of(st.binary(max_size=12), st.binary(max_size=6).map(lambda tail: b"\x08" + tail))


@given(st.lists(usual(), max_size=12))
@settings(deadline=None)
def test_usual_entries(payloads: list[bytes]) -> None:
    found, damaged = both(of("PAGEMAP", HEAD, *map(framed, payloads)))
    assert not damaged
    assert found == oracle(payloads)


@given(st.lists(st.one_of(usual(), strange()), max_size=12))
@settings(deadline=None)
@example([b"\x08\x80\x20\x28\x01" + b"\x78\x01", b""])
def test_strange_entries(payloads: list[bytes]) -> None:
    found, damaged = both(of("PAGEMAP", HEAD, *map(framed, payloads)))
    assert not damaged
    assert found == oracle(payloads)


@given(st.lists(st.one_of(usual(), strange(), broken), max_size=8), numbers, st.integers(0, 40))
@settings(deadline=None, max_examples=300)
def test_broken_entries(payloads: list[bytes], number: int, cut: int) -> None:
    payloads.append(b"\x08\x00\x28" + varint(number))
    data = of("PAGEMAP", HEAD, *map(framed, payloads))
    data = data[: max(len(data) - cut, 14)]
    try:
        found, damaged = both(data)
    except ImageUnsupported:
        with pytest.raises(ImageUnsupported):
            pagemap.columns(data, name="p")
        return
    assert len(found) <= len(payloads)
    assert [d.code for d in damaged] in ([], ["criu.pagemap-damaged"])
    if damaged:
        with pytest.raises(ImageError):
            list(pagemap.entries(data, name="p"))


@given(st.integers(0, 1 << 30), st.sampled_from([64, 200, 1000]))
@settings(deadline=None, max_examples=30)
def test_blocks_and_steps_do_not_show(seed: int, block: int) -> None:
    rng = Random(seed)
    data = of("PAGEMAP", HEAD, *(_random_entry(rng, i) for i in range(300)))
    whole = pagemap.columns(data, name="p")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pagemap_columns, "BLOCK", block)
        patch.setattr(pagemap_columns, "STEP", rng.choice([1, 7]))
        assert rows(pagemap.columns(data, name="p")) == rows(whole) == both(data)[0]


def _random_entry(rng: Random, index: int) -> bytes:
    if rng.random() < 0.1:
        return framed(
            rng.choice([b"", b"\x28\x01", b"\x78\x01\x08\x01", b"\x08" + varint(4096, 9), b"\x52\x03abc"])
        )
    return new(0x1000 * index, rng.randrange(300), rng.choice([4, 4, 4, 1, 6]))


# --- what is refused ------------------------------------------------------------------------
@pytest.mark.parametrize(
    "payload", [b"\x32\x01\x05", b"\x30\x05", b"\x3a\x02\x08\x01", b"\x20\x0c", b"\x20\x80\x01"]
)
def test_compressed_pages_are_refused(payload: bytes) -> None:
    data = of("PAGEMAP", HEAD, new(0x1000, 1), framed(b"\x08\x80\x40\x10\x00\x28\x01" + payload))
    for read in (pagemap.columns, lambda data, name: list(pagemap.entries(data, name=name))):
        with pytest.raises(ImageUnsupported) as caught:
            read(data, name="p")
        assert caught.value.code == "criu.pagemap-unsupported"
        assert caught.value.hint


@pytest.mark.parametrize("pages", [1 << 39, 1 << 63, (1 << 64) - 1])
def test_pages_beyond_any_address_space(pages: int) -> None:
    found, damaged = both(of("PAGEMAP", HEAD, new(0x1000, 1), new(0x2000, pages), new(0x9000, 1)))
    assert len(found) == 1
    assert damaged[0].offset == 8 + 6 + 13


def test_addresses_beyond_the_last() -> None:
    found, damaged = both(of("PAGEMAP", HEAD, new((1 << 64) - 4096, 1), new((1 << 64) - 4096, 2)))
    assert len(found) == 1
    assert damaged


def test_many_huge_entries_do_not_overflow() -> None:
    found, damaged = both(of("PAGEMAP", HEAD, *[new(0, 1 << 38)] * 400))
    assert len(found) == 257
    assert damaged
    assert all(0 <= e.offset < 1 << 62 for e in found)


@pytest.mark.parametrize(
    "data", [of("PSTREE"), of("PAGEMAP"), of("PAGEMAP", HEAD)[:-1], of("PAGEMAP", framed(b"\xff")), b""]
)
def test_no_page_map(data: bytes) -> None:
    for read in (pagemap.columns, pagemap.pages_id, lambda data: list(pagemap.entries(data))):
        with pytest.raises(ImageError) as caught:
            read(data)
        assert caught.value.hint


def test_the_number_of_entries_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PAGEMAP_ENTRIES", 2)
    data = of("PAGEMAP", HEAD, *[new(0, 1)] * 3)
    for read in (pagemap.columns, lambda data: list(pagemap.entries(data))):
        with pytest.raises(LimitExceeded):
            read(data)


def test_a_huge_size_is_damage() -> None:
    _, damaged = both(of("PAGEMAP", HEAD, new(0, 1), pack("<I", 0xFFFFFFFF), bytes(50)))
    assert damaged


def test_the_light_path_does_without_numpy() -> None:
    code = (
        "import sys; from cryoscope.checkpoint.criu import pagemap;"
        f"print(list(pagemap.entries({of('PAGEMAP', HEAD, new(0x1000, 1))!r})), 'numpy' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[PagemapEntry(vaddr=4096, pages=1, flags=4, offset=0)] False"
