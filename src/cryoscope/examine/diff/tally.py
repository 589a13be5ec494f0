"""What became of the pages of one mapping or shared object: counts, and which pages differ."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from cryoscope import limits
from cryoscope.checkpoint.memory import Address
from cryoscope.examine.diff.hashing import UNIT
from cryoscope.examine.diff.pages import Verdict
from cryoscope.examine.diff.records import PageRun, Pages
from cryoscope.examine.diff.segments import FILE, GONE, NEW, UNKNOWN, ZERO, Segment
from cryoscope.examine.memory.spans import merged

EQUAL, CHANGED = "equal", "changed"
RUNS = (CHANGED, NEW, GONE)


class Span(NamedTuple):
    """Pages of one kind in a row."""

    start: int
    end: int
    change: str


class Tally:
    """Counts pages of `page_size` bytes; differing ones are kept, changed ones as a column of numbers."""

    def __init__(self, page_size: int) -> None:
        self.page_size = page_size
        self._counts = dict.fromkeys((EQUAL, CHANGED, NEW, GONE, ZERO, FILE, UNKNOWN), 0)
        self._rows_of: dict[str, list[tuple[int, int]]] = {NEW: [], GONE: []}
        self._changed: array[int] = array("Q")
        self._spans: list[Span] | None = None

    def say(self, segment: Segment) -> None:
        """A row of pages that need not be compared."""
        pages = -(-segment.length // self.page_size)
        self._counts[segment.what] += pages
        if segment.what in self._rows_of:
            first = segment.address // self.page_size
            self._rows_of[segment.what].append((first, first + pages))

    def judge(self, segment: Segment, verdict: Verdict, unit: int) -> None:
        """A row of pages that was compared, from `unit` of the verdict on."""
        step = self.page_size // UNIT
        wanted = segment.length // self.page_size
        known = max(0, min(wanted, (verdict.known - unit) // step))
        self._counts[UNKNOWN] += wanted - known
        low = bisect_left(verdict.differs, unit)
        high = bisect_left(verdict.differs, unit + known * step)
        first = segment.address // self.page_size
        changed = dict.fromkeys(first + (at - unit) // step for at in verdict.differs[low:high])
        self._changed.extend(changed)
        self._counts[CHANGED] += len(changed)
        self._counts[EQUAL] += known - len(changed)

    @property
    def pages(self) -> Pages:
        """The counts."""
        return Pages(**self._counts)

    @property
    def spans(self) -> list[Span]:
        """The differing pages, as rows by address."""
        if self._spans is None:
            self._spans = sorted(span for change in RUNS for span in self._rows(change))
        return self._spans

    def _rows(self, change: str) -> Iterator[Span]:
        """Neighbours together."""
        single = ((page, page + 1) for page in self._changed)
        for low, high in merged(single if change == CHANGED else self._rows_of[change]):
            yield Span(low * self.page_size, high * self.page_size, change)

    def runs(self) -> tuple[list[PageRun], int]:
        """The first `limits.DIFF_RUNS` rows as records, and how many more there are."""
        shown = [
            PageRun(
                address=Address(span.start),
                pages=(span.end - span.start) // self.page_size,
                change=span.change,
            )
            for span in self.spans[: limits.DIFF_RUNS]
        ]
        return shown, len(self.spans) - len(shown)


def added(parts: list[Pages]) -> Pages:
    """The sum."""
    names = Pages.__struct_fields__
    return Pages(**{name: sum(getattr(part, name) for part in parts) for name in names})
