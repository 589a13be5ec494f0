"""Equal strings folded into one with a count, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cryoscope import limits
from cryoscope.errors import LimitExceeded
from cryoscope.examine.memory.batches import Batch
from cryoscope.examine.memory.regions import Region
from cryoscope.examine.memory.strings import Found, find, in_order

OVERHEAD = 200
"""Bytes that a distinct string takes beside its own: the object, its count, its first place."""


class Folded(NamedTuple):
    """A string, how often it is there, and where first."""

    text: bytes
    times: int
    region: Region
    address: int


def fold(found: Iterable[Batch], encodings: Sequence[str], minimum: int) -> list[Folded]:
    """Distinct strings, the most frequent first; raises `LimitExceeded` where they are too many."""
    folder = _Folder()
    for batch in in_order(lambda batch: find(batch, encodings, minimum), found):
        for one in batch:
            folder.add(one)
    order = sorted(folder.counts, key=folder.counts.__getitem__, reverse=True)
    return [Folded(text, folder.counts[text], *folder.first[text]) for text in order]


class _Folder:
    def __init__(self) -> None:
        self.counts: Counter[bytes] = Counter()
        self.first: dict[bytes, tuple[Region, int]] = {}
        self._size = 0

    def add(self, found: Found) -> None:
        """Count the strings of a batch, and keep the first place of those that are new."""
        texts = bytes(found.runs.text()).split(b"\n")[:-1]
        where = dict(zip(reversed(texts), range(len(texts) - 1, -1, -1), strict=True))
        for text in where:
            if text not in self.counts:
                at = where[text]
                region = found.batch.segments[int(found.segment[at])].region
                self.first[text] = (region, int(found.address[at]))
                self._size += len(text) + OVERHEAD
        self.counts.update(texts)
        if self._size > limits.UNIQUE_STRINGS:
            raise LimitExceeded(
                f"more than {len(self.counts)} distinct strings",
                hint="ask for longer ones (--min-length) or for less memory (--pid, --vma-type)",
                code="limit.unique-strings",
            )
