"""One pass over a long sequence of bytes, block by block: candidates with the bytes around them.

What a candidate needs to be confirmed and shown is kept with it, so that nothing is read twice: the
bytes from a little before to a little behind, and a hash of each half KiB around, by which pages that
a fork left equal are told from others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

from cryoscope import limits
from cryoscope.examine.search.engine import Block, Engine, Program, Scanner

BLOCK = 1 << 20
"""Bytes scanned at once: what fits in the processor's cache is not read from memory twice."""

SIDE = 64
"""Bytes kept on either side of a candidate, for its context and assertions."""

UNIT = 512
"""Bytes of a tar's block: members begin at one, so that pages consist of whole ones."""

PAGE = 4096


class Raw(NamedTuple):
    """A candidate in a sequence: see `engine.Candidate`.

    `data` are the bytes from `start` on; `hashes` those of the `UNIT`s from `first` on.
    """

    number: int
    low: int
    high: int
    start: int
    data: bytes
    first: int
    hashes: tuple[int, ...]


class Sink:
    """Collects raw candidates within the limits; several threads may put."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._room = limits.SEARCH_CANDIDATES_TOTAL
        self._counts = [0] * len(engine.programs)
        self._lock = threading.Lock()

    def admit(self, index: int) -> bool:
        """Whether there is room for one more candidate of a pattern; else it is searched no further."""
        with self._lock:
            self._counts[index] += 1
            self._room -= 1
            full = self._room < 0 or self._counts[index] > limits.SEARCH_CANDIDATES
        if full:
            self.engine.mute(index)
        return not full


class Sweep:
    """Scans the parts of one sequence; `raws` is what was found, in no order."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.engine = sink.engine
        self.before = self.engine.span + PAGE + SIDE
        self.behind = max((reach(program) for program in self.engine.programs), default=0) + PAGE + SIDE
        self.raws: list[Raw] = []

    def part(self, scan: Scanner, data: Block, start: int, low: int, high: int) -> None:
        """Scan `data`, which lies at `start` of the sequence, for candidates between `low` and `high`.

        There are `before` bytes in it ahead of `low` and `behind` after `high`, but at the ends.
        """
        for index, first, last in scan(data):
            if start + last > low and start + first < high and self.sink.admit(index):
                self.raws.append(self._raw(index, first, last, data, start))

    def _raw(self, index: int, low: int, high: int, data: Block, start: int) -> Raw:
        program = self.engine.programs[index]
        end = _end(program, low, high, data)
        begin = max(0, low - SIDE)
        kept = bytes(data[begin : end + SIDE])
        first = max(-(-start // UNIT), (start + low - PAGE) // UNIT)
        last = min((start + len(data)) // UNIT, -(-(start + end + PAGE) // UNIT))
        places = (at * UNIT - start for at in range(first, last))
        hashes = tuple(hash(bytes(data[at : at + UNIT])) for at in places)
        return Raw(index, start + low, start + high, start + begin, kept, first, hashes)


def reach(program: Program) -> int:
    """Bytes from a candidate's end to the end of what decides about it."""
    return min(limits.SEARCH_SPAN, program.longest + program.around)


def _end(program: Program, low: int, high: int, data: Block) -> int:
    """Where the last match of a candidate ends, as far as these bytes tell."""
    most = high + reach(program)
    if program.longest <= PAGE // 16:
        return most
    end = high
    while (match := program.regex.search(data, low, most)) and match.start() < high:
        end, low = max(end, match.end()), match.end()
    return end


Read = Callable[[int, int], Block]


def blocks(size: int, low: int = 0) -> Iterator[tuple[int, int]]:
    """The parts of a sequence that are scanned one by one: from and to."""
    for at in range(low, size, BLOCK):
        yield at, min(size, at + BLOCK)


def read_part(sweep: Sweep, scan: Scanner, read: Read, size: int, low: int, high: int) -> int:
    """Read and scan one part of a sequence of `size` bytes; how many of its bytes there were."""
    start = max(0, low - sweep.before)
    data = read(start, min(size, high + sweep.behind) - start)
    sweep.part(scan, data, start, low, high)
    return max(0, min(high, start + len(data)) - low)
