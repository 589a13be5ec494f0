"""Strings found by numpy are those that regular expressions find, wherever the batches are cut."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoscope.checkpoint.memory import Address, Vma
from cryoscope.examine.memory.batches import Batch, batches, last_place
from cryoscope.examine.memory.reading import Piece
from cryoscope.examine.memory.regions import Region
from cryoscope.examine.memory.runs import Runs, ascii_runs, utf16_runs
from cryoscope.examine.memory.strings import find, in_order

BYTES = st.lists(
    st.one_of(
        st.sampled_from([b"\0", b"\0\0", b"\xff", b"\t", b" ", b"~", b"\x7f", b"\n"]),
        st.text("ab ~\t", min_size=1, max_size=12).map(str.encode),
        st.text("xy", min_size=1, max_size=9).map(lambda text: text.encode("utf-16-le")),
        st.binary(max_size=5),
    ),
    max_size=40,
).map(b"".join)
VMA = Vma(start=Address(0), end=Address(1 << 40), perms="rw-p", kind="anon", pages=1)


def expected(data: bytes, minimum: int, *, wide: bool) -> list[tuple[int, bytes]]:
    """Where strings begin, and their characters, by `re`."""
    pattern = rb"(?:[\t -~]\x00){%d,}" if wide else rb"[\t -~]{%d,}"
    found = re.finditer(pattern % minimum, data)
    return [(match.start(), match[0][:: 2 if wide else 1]) for match in found]


def given_by(runs: Runs | None) -> list[tuple[int, bytes]]:
    if runs is None:
        return []
    texts = bytes(runs.text()).split(b"\n")[:-1]
    slices = zip(runs.places.tolist(), runs.lengths.tolist(), strict=True)
    assert texts == [runs.source[place : place + length].tobytes() for place, length in slices]
    return list(zip(runs.starts.tolist(), texts, strict=True))


@given(BYTES, st.integers(1, 9))
def test_ascii(data: bytes, minimum: int) -> None:
    assert given_by(ascii_runs(data, minimum)) == expected(data, minimum, wide=False)


@given(BYTES, st.integers(1, 9))
def test_utf16_at_even_and_odd_places(data: bytes, minimum: int) -> None:
    assert given_by(utf16_runs(data, minimum)) == expected(data, minimum, wide=True)


@pytest.mark.parametrize("data", [b"", b"a", b"a\0", b"\0", b"ab", b"a\0b\0"])
def test_hardly_any_bytes(data: bytes) -> None:
    for minimum in (1, 2, 4096):
        assert given_by(ascii_runs(data, minimum)) == expected(data, minimum, wide=False)
        assert given_by(utf16_runs(data, minimum)) == expected(data, minimum, wide=True)


class Pieces:
    """Reads some bytes in given pieces."""

    def __init__(self, data: bytes, cuts: list[int], base: int) -> None:
        self.data, self.cuts, self.base = data, cuts, base

    def pieces(self, _space: object, _start: int, _end: int) -> Iterator[Piece]:
        ends = sorted({cut for cut in self.cuts if cut < len(self.data)} | {len(self.data)})
        low = 0
        for high in ends:
            if low < high:
                part = memoryview(self.data)[low:high]
                yield Piece(self.base + low, high - low, "dumped", part)
            low = high


def region(end: int = 1 << 40) -> Region:
    return Region(1, "made", None, VMA, 0, end, (1,))  # type: ignore[arg-type]


def found_in(batch: Batch, minimum: int) -> list[tuple[int, bytes, str]]:
    return [
        (address, text, one.encoding)
        for one in find(batch, ("ascii", "utf-16"), minimum)
        for address, (_, text) in zip(one.address.tolist(), given_by(one.runs), strict=True)
    ]


@settings(max_examples=300)
@given(BYTES, st.lists(st.integers(0, 200), max_size=8), st.integers(1, 40), st.integers(1, 5))
def test_a_string_is_one_wherever_its_memory_is_cut(
    data: bytes, cuts: list[int], size: int, minimum: int
) -> None:
    base = 0x7FFF_0000_0000
    made = batches([region()], Pieces(data, cuts, base), size=size)  # type: ignore[arg-type]
    found = [one for batch in made for one in found_in(batch, minimum)]
    for encoding, wide in (("ascii", False), ("utf-16", True)):
        wanted = [(base + at, text) for at, text in expected(data, minimum, wide=wide)]
        assert [(at, text) for at, text, name in found if name == encoding] == wanted


@given(st.lists(st.tuples(BYTES, st.booleans()), max_size=8), st.integers(1, 60))
def test_strings_end_where_addresses_do_not_go_on(parts: list[tuple[bytes, bool]], size: int) -> None:
    """Runs of pieces without gaps are searched as one, others apart."""
    pieces, joined = [], [(0, b"")]
    address = 0
    for data, apart in parts:
        if apart:
            address += 4096
            joined.append((address, b""))
        if data:
            pieces.append(Piece(address, len(data), "dumped", memoryview(data)))
            joined[-1] = (joined[-1][0], joined[-1][1] + data)
            address += len(data)

    class Given:
        def pieces(self, *_: object) -> Iterator[Piece]:
            yield from pieces

    made = batches([region()], Given(), size=size)  # type: ignore[arg-type]
    found = [(at, text) for batch in made for at, text, name in found_in(batch, 3) if name == "ascii"]
    assert found == [(base + at, text) for base, data in joined for at, text in expected(data, 3, wide=False)]


def test_zeros_are_left_out_and_nothing_else() -> None:
    data = b"head" + bytes(100_000) + b"w\0i\0d" + bytes(70_000) + b"tail"
    made = list(batches([region()], Pieces(data, [], 0)))  # type: ignore[arg-type]
    assert sum(len(batch.data) for batch in made) < 60_000
    found = [(at, text) for batch in made for at, text, _ in found_in(batch, 3)]
    assert sorted(found) == [(0, b"head"), (100_004, b"wid"), (len(data) - 4, b"tail")]


@given(BYTES)
def test_no_string_crosses_the_last_place(data: bytes) -> None:
    end = last_place(data)
    for wide in (False, True):
        whole = expected(data, 1, wide=wide)
        halves = expected(data[:end], 1, wide=wide) + [
            (end + at, text) for at, text in expected(data[end:], 1, wide=wide)
        ]
        assert whole == halves


def test_a_string_without_end_is_given_in_pieces() -> None:
    data = b"x" * (9 << 20)
    made = batches([region()], Pieces(data, [*range(0, 9 << 20, 1 << 20)], 0))  # type: ignore[arg-type]
    found = [one for batch in made for one in found_in(batch, 6)]
    assert b"".join(text for _, text, _ in found) == data
    assert [at for at, _, _ in found] == [0, 4 << 20, 8 << 20]


def test_work_in_order() -> None:
    assert list(in_order(lambda number: number * 2, range(100))) == list(range(0, 200, 2))
