"""Many patterns over a block of bytes at once: where each may match.  The home of pyperscan.

Vectorscan reports each end of each match; of patterns whose simple form (`relax`) has one width that
gives the start, of others it tracks where the leftmost match with this end began.  `re` finds the same
candidates where pyperscan is not installed, and of patterns that Vectorscan does not compile.
Both release or hold the GIL as they are: Vectorscan scans without it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from threading import Lock
from typing import Any, NamedTuple

from cryoscope import limits
from cryoscope.examine.search.patterns import FLAGS, Pattern
from cryoscope.examine.search.relax import MANY, Relaxed, TooHardError, relax

JOINED = 4096
"""Candidates that overlap become one up to this many bytes."""


class Candidate(NamedTuple):
    """A match of pattern `number` may start at `low` up to but not including `high`."""

    number: int
    low: int
    high: int


class Program(NamedTuple):
    """One pattern, ready: what decides (`regex`), and what finds (`simple`; None: `regex` itself)."""

    number: int
    pattern: Pattern
    regex: re.Pattern[bytes]
    simple: Relaxed | None

    @property
    def longest(self) -> int:
        """Bytes of the longest match."""
        return self.simple.longest if self.simple else MANY

    @property
    def around(self) -> int:
        """Bytes beside a match that decide whether it is one."""
        return self.simple.around if self.simple else MANY

    @property
    def span(self) -> int:
        """Bytes from the earliest start of a candidate to its end."""
        return min(MANY, self.simple.most + self.simple.back) if self.simple else MANY


Block = bytes | memoryview

Scanner = Callable[[Block], list[Candidate]]


class Engine:
    """Patterns compiled once; `scanner` gives each thread a scanner of its own.

    `notes` says which patterns are searched the slow way and which were too dense to go on with.
    """

    def __init__(self, patterns: Sequence[Pattern], *, slow: bool = False) -> None:
        self.programs = [_program(index, pattern) for index, pattern in enumerate(patterns)]
        self.span = max((program.span for program in self.programs), default=1)
        self.notes: list[str] = []
        self.muted: set[int] = set()
        self._lock = Lock()
        self._database: Any = None
        self._fast, self._slow = ([], list(self.programs)) if slow else self._divide()

    def scanner(self) -> Scanner:
        """A function of a block to its candidates, for one thread."""
        return _Scanner(self).scan

    def fresh(self) -> Engine:
        """The same patterns, none of them muted; what is muted there is noted here."""
        other = copy(self)
        database = None if self.muted else self._database
        other.__dict__ |= {"muted": set(), "_database": database, "_lock": Lock()}
        return other

    def mute(self, index: int, why: str = "more hits left out") -> None:
        """Search a pattern no further."""
        with self._lock:
            if index not in self.muted:
                self.muted = self.muted | {index}
                self._database = None
                pattern = self.programs[index].pattern
                note = f"{pattern.name} ({pattern.encoding}): {why}"
                self.notes += [note] if note not in self.notes else []

    def slow(self) -> list[Program]:
        """The patterns that `re` searches."""
        return [program for program in self._slow if program.number not in self.muted]

    def database(self) -> Any:
        """The compiled patterns that are not muted; None if there are none."""
        with self._lock:
            wanted = [program for program in self._fast if program.number not in self.muted]
            if wanted and self._database is None:
                self._database = _compile(wanted)
            return self._database if wanted else None

    # --- which engine -----------------------------------------------------------------------
    def _divide(self) -> tuple[list[Program], list[Program]]:
        """Patterns for Vectorscan, and those that only `re` can search."""
        able = [program for program in self.programs if program.simple is not None]
        hard = [program for program in self.programs if program.simple is None]
        if _hyperscan() is None:
            if self.programs:
                self.notes.append("pyperscan is not installed: searching takes many times as long")
            return [], list(self.programs)
        self._database = _compiled(able)
        if able and self._database is None:
            hard += [program for program in able if _compiled([program]) is None]
            able = [program for program in able if program not in hard]
        for program in hard:
            self.notes.append(f"{program.pattern.name}: too complex for the fast engine, searched slowly")
        return able, hard


def _program(index: int, pattern: Pattern) -> Program:
    flags = int(FLAGS) | (int(re.IGNORECASE) if pattern.ignore_case else 0)
    regex = pattern.compiled
    try:
        return Program(index, pattern, regex, relax(pattern.expression, flags))
    except TooHardError:
        return Program(index, pattern, regex, None)


def _hyperscan() -> Any:
    try:
        import pyperscan
    except ImportError:
        return None
    return pyperscan


def _compiled(programs: list[Program]) -> Any:
    """A database, or None where there is a pattern that does not compile."""
    try:
        return _compile(programs)
    except Exception:  # the library's errors have no common base but this
        return None


def _compile(programs: list[Program]) -> Any:
    """A database; a pattern of one width needs no start of match."""
    library = _hyperscan()
    flag = library.Flag
    found = []
    for program in programs:
        if (simple := program.simple) is not None:
            flags = [flag.DOTALL] if simple.least == simple.most else [flag.DOTALL, flag.SOM_LEFTMOST]
            found.append(library.Pattern(simple.expression, *flags, tag=program.number))
    return library.BlockDatabase(*found) if found else None


class _Scanner:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._found: list[tuple[int, int, int]] = []
        self._database: Any = None
        self._scan: Any = None

    def scan(self, data: Block) -> list[Candidate]:
        """The candidates in `data`, those of one pattern in rising order and apart."""
        found = self._fast(data)
        for program in self.engine.slow():
            found += self._slow(program, data)
        return found

    def _fast(self, data: Block) -> list[Candidate]:
        while True:
            database = self.engine.database()
            if database is None:
                return []
            self._found.clear()
            if database is not self._database:
                self._database, self._scan = database, self._build(database)
            self._scan.scan(data)
            if len(self._found) < limits.SEARCH_BLOCK_CANDIDATES:
                return self._joined(data) if self._found else []
            densest, _ = Counter(tag for tag, _, _ in self._found).most_common(1)[0]
            self.engine.mute(densest)

    def _build(self, database: Any) -> Any:
        scan = _hyperscan().Scan
        found, go_on, stop = self._found, scan.Continue, scan.Terminate

        def on_match(_data: Any, tag: int, start: int, end: int) -> Any:
            found.append((tag, start, end))
            return go_on if len(found) < limits.SEARCH_BLOCK_CANDIDATES else stop

        return database.build(None, on_match)

    def _joined(self, data: Block) -> list[Candidate]:
        by_tag: dict[int, list[tuple[int, int]]] = {}
        for tag, start, end in self._found:
            by_tag.setdefault(tag, []).append((start, end))
        return [
            candidate
            for tag, spans in by_tag.items()
            for candidate in _join(tag, _starts(self.engine.programs[tag].simple, spans, data))
        ]

    def _slow(self, program: Program, data: Block) -> list[Candidate]:
        simple = program.simple
        regex = program.regex if simple is None else _simple_regex(simple.expression)
        spans = []
        for match in regex.finditer(data):
            spans.append(_led(simple, match.start(), match.end(), data))
            if len(spans) >= limits.SEARCH_BLOCK_CANDIDATES:
                self.engine.mute(program.number)
                break
        return [*_join(program.number, sorted(spans))]


def _starts(simple: Relaxed | None, spans: list[tuple[int, int]], data: Block) -> list[tuple[int, int]]:
    """Where true matches may start, from what the simple form matched."""
    if simple is None:
        return sorted(spans)
    if simple.least == simple.most:
        found = [(end - simple.least, end - simple.least + 1) for _, end in spans]
    else:
        found = [(max(start, end - MANY), end - simple.least + 1) for start, end in spans]
    return sorted(_led(simple, low, high, data) for low, high in found)


def _led(simple: Relaxed | None, low: int, high: int, data: Block) -> tuple[int, int]:
    """The span with what may stand before it."""
    if simple is None or not simple.back or low <= 0:
        return low, high
    first = max(0, low - simple.back)
    before = bytes(data[first:low])
    return first + len(before.rstrip(simple.lead)), high


def _join(index: int, spans: list[tuple[int, int]]) -> Iterator[Candidate]:
    """Spans in rising order with those that overlap put together."""
    low, high = -1, -1
    for start, end in spans:
        if start <= high and end - low <= JOINED and high >= 0:
            high = max(high, end)
            continue
        if high >= 0:
            yield Candidate(index, low, high)
        low, high = start, end
    if high >= 0:
        yield Candidate(index, low, high)


_regexes: dict[bytes, re.Pattern[bytes]] = {}


def _simple_regex(expression: bytes) -> re.Pattern[bytes]:
    if expression not in _regexes:
        _regexes[expression] = re.compile(expression, re.DOTALL)
    return _regexes[expression]
