"""A slow source through blocks: the same bytes, few requests, no more than is needed."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoscope.checkpoint.archive.readahead import ReadAhead
from cryoscope.errors import ArchiveError

KIB, MIB = 1 << 10, 1 << 20
DATA = random.Random(1).randbytes(300_001)


class Slow:
    """Bytes in memory that count who asks; `broken` requests fail."""

    def __init__(self, data: bytes) -> None:
        self.name, self.size, self._data = "slow", len(data), data
        self.requests: list[tuple[int, int]] = []
        self.broken = 0
        self.closed = False
        self._lock = threading.Lock()

    def read_at(self, offset: int, length: int) -> bytes:
        with self._lock:
            self.requests.append((offset, length))
            if self.broken:
                self.broken -= 1
                raise ArchiveError("broken")
        assert length > 0
        assert offset + length <= self.size
        return self._data[offset : offset + length]

    def fingerprint(self) -> str | None:
        return "slow-1"

    def close(self) -> None:
        self.closed = True


@given(
    reads=st.lists(st.tuples(st.integers(0, 310_000), st.integers(0, 200_000)), max_size=12),
    block=st.sampled_from([1000, 4096, 70_000]),
    memory=st.sampled_from([1, 20_000, MIB]),
)
def test_any_range_is_what_lies_there(reads: list[tuple[int, int]], block: int, memory: int) -> None:
    ahead = ReadAhead(Slow(DATA), block=block, memory=memory, workers=2)
    for offset, length in reads:
        assert ahead.read_at(offset, length) == DATA[offset : offset + length]
        room = bytearray(length)
        count = ahead.read_into(offset, memoryview(room))
        assert room[:count] == DATA[offset : offset + length]
    ahead.close()


def test_many_threads_get_their_own_bytes() -> None:
    ahead = ReadAhead(Slow(DATA), block=1000, memory=20_000)
    places = [random.Random(seed).randrange(len(DATA)) for seed in range(400)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda place: ahead.read_at(place, 5000), places))
    assert found == [DATA[place : place + 5000] for place in places]
    ahead.close()


def test_one_who_jumps_about_costs_a_block_each() -> None:
    slow = Slow(bytes(64 * MIB))
    ahead = ReadAhead(slow)
    for place in range(40 * MIB, 0, -5 * MIB):
        ahead.read_at(place, 512)
        ahead.read_at(place + 600, 512)
    ahead.close()
    assert ahead.fetched == sum(length for _, length in slow.requests) == 8 * 64 * KIB


def test_one_who_reads_on_makes_few_requests_and_is_given_no_more_than_twice_as_much() -> None:
    slow = Slow(bytes(64 * MIB))
    ahead = ReadAhead(slow)
    for place in range(0, 32 * MIB, 128 * KIB):
        ahead.read_at(place, 128 * KIB)
        assert ahead.fetched <= 2 * (place + 128 * KIB)
    assert len(slow.requests) < 40
    ahead.close()


def test_the_cache_forgets_what_was_read_longest_ago() -> None:
    slow = Slow(bytes(MIB))
    ahead = ReadAhead(slow, block=1000, memory=10_000)
    for place in (0, 100_000, 0, 200_000, 0):
        ahead.read_at(place, 10)
    assert [place for place, _ in slow.requests] == [0, 100_000, 200_000]
    for place in range(300_000, 340_000, 2000):
        ahead.read_at(place, 10)
    ahead.read_at(0, 10)
    assert [place for place, _ in slow.requests].count(0) == 2
    ahead.close()


def test_a_request_that_failed_is_made_again_by_the_next_who_asks() -> None:
    slow = Slow(DATA)
    ahead = ReadAhead(slow, block=1000)
    slow.broken = 1
    with pytest.raises(ArchiveError, match="broken"):
        ahead.read_at(5, 5)
    assert ahead.read_at(5, 5) == DATA[5:10]
    ahead.close()


def test_to_close_it_closes_the_source() -> None:
    slow = Slow(DATA)
    ahead = ReadAhead(slow)
    assert ahead.fingerprint() == "slow-1"
    ahead.close()
    assert slow.closed
