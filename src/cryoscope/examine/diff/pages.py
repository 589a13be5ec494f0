"""Whether pages are equal: by their bytes where both archives can be read anywhere, else by hash.

Blocks of both pages images are read beside each other and compared whole, as by memcmp; only in a block
that is not equal the pages are told apart.  Of an archive that is compressed the pages were hashed as they
went by (`PageHashes`), and the other side's are hashed to match.  Reading lets other threads run.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from cryoscope import limits
from cryoscope.checkpoint.criu.imageset import ImageSet
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.diff.hashing import UNIT, ZERO, Column, PageHashes, hashes_of

BLOCK = 1 * limits.MIB
"""Bytes compared at once: both blocks stay in a processor's cache."""

THREADS = 2

PART = 64 * limits.KIB
"""Bytes of a block that is not equal in which the pages that differ are looked for, unless they are equal."""


Block = bytes | bytearray


class Place(NamedTuple):
    """Where bytes of memory lie: `offset` in the image `member` of a set."""

    images: ImageSet
    member: str
    offset: int


class Job(NamedTuple):
    """`length` bytes to be compared: where they lie on both sides, None where they are known zeros."""

    old: Place | None
    new: Place | None
    length: int


class Verdict(NamedTuple):
    """What came out of a job: the numbers of the units that differ, and how many are known on both sides."""

    differs: Sequence[int]
    known: int


class Side:
    """Reads the pages of one checkpoint; what cannot be read is in `damaged`, once an image."""

    def __init__(self, hashes: PageHashes | None) -> None:
        self.hashes = hashes
        self.damaged: list[Damaged] = []
        self._named: set[str] = set()
        self._lock = threading.Lock()

    def streams(self, place: Place | None) -> bool:
        """Whether the archive can only be read from its beginning: then hashes are asked for."""
        if place is None:
            return False
        archive: Any = place.images.archive
        streamed = self.hashes is not None and self.hashes.streamed(archive)
        return streamed or not archive.seekable

    def fill(self, place: Place, buffer: memoryview) -> int:
        """Read into a buffer; how many bytes there were."""
        archive: Any = place.images.archive
        try:
            return int(archive.read_into(place.member, place.offset, buffer))
        except CryoscopeError as error:
            self._note(place, error)
            return 0

    def digests(self, place: Place | None, length: int) -> Column:
        """The hashes of the units from a place on, fewer where the image is cut short."""
        if place is None:
            return array("Q", [ZERO]) * (length // UNIT)
        if self.hashes is not None:
            found = self.hashes.of(place.images.archive, place.member, place.offset, length)
            if found is not None:
                return found
        buffer = bytearray(length)
        return hashes_of(memoryview(buffer)[: self.fill(place, memoryview(buffer))])

    def cut(self, place: Place | None, wanted: int, got: int) -> None:
        """Name an image that ends before its pages do."""
        if place is not None and got < wanted:
            self._note(place, CryoscopeError("ends too early, or is not there", code="memory.truncated"))

    def _note(self, place: Place, error: CryoscopeError) -> None:
        with self._lock:
            if place.member not in self._named:
                self._named.add(place.member)
                problem = f"{error.message}: memory is missing"
                self.damaged.append(Damaged(place.member, problem, error.code))


Progress = Callable[[int, int | None], None]


def verdicts(
    old: Side, new: Side, jobs: Sequence[Job], progress: Progress | None = None
) -> Iterator[tuple[int, Verdict]]:
    """The verdict of each job with its number, in the order of the later archive, block by block joined."""
    order = sorted(range(len(jobs)), key=lambda at: _order(jobs[at]))
    total = sum(job.length for job in jobs)
    local, done = threading.local(), 0

    def work(at: int) -> Verdict:
        if not hasattr(local, "worker"):
            local.worker = _Worker(old, new)
        found: Verdict = local.worker.compare(jobs[at])
        return found

    with ThreadPoolExecutor(THREADS) as pool:
        for at, verdict in zip(order, pool.map(work, order), strict=True):
            done += jobs[at].length
            if progress is not None:
                progress(done, total)
            yield at, verdict


def _order(job: Job) -> tuple[str, int]:
    place = job.new or job.old
    return ("", 0) if place is None else (place.member, place.offset)


class _Worker:
    """One thread, with buffers of its own that are used again and again."""

    def __init__(self, old: Side, new: Side) -> None:
        self.old, self.new = old, new
        self._a, self._b = bytearray(BLOCK), bytearray(BLOCK)
        self._zeros = bytes(BLOCK)

    def compare(self, job: Job) -> Verdict:
        """A job of any length: equal or not, unit by unit."""
        if self.old.streams(job.old) or self.new.streams(job.new):
            return self._by_hash(job)
        differs: Column = array("Q")
        for at in range(0, job.length, BLOCK):
            length = min(BLOCK, job.length - at)
            known, units = self._block(job, at, length)
            differs.extend(at // UNIT + unit for unit in units)
            if known < length // UNIT:  # behind a cut nothing is known
                return Verdict(differs, at // UNIT + known)
        return Verdict(differs, job.length // UNIT)

    def _block(self, job: Job, at: int, length: int) -> tuple[int, Sequence[int]]:
        a, got_a = self._read(self.old, job.old, at, self._a, length)
        b, got_b = self._read(self.new, job.new, at, self._b, length)
        known = min(got_a, got_b) // UNIT
        if length == BLOCK == known * UNIT and a == b:
            return known, ()
        return known, [*_differing(a, b, known * UNIT)]

    def _read(
        self, side: Side, place: Place | None, at: int, buffer: bytearray, length: int
    ) -> tuple[Block, int]:
        """The bytes of one side, and how many there are; behind them the buffer holds what it held."""
        if place is None:
            return self._zeros, length
        got = side.fill(place._replace(offset=place.offset + at), memoryview(buffer)[:length])
        side.cut(place, length, got)
        return buffer, got

    def _by_hash(self, job: Job) -> Verdict:
        a, b = self.old.digests(job.old, job.length), self.new.digests(job.new, job.length)
        wanted = job.length // UNIT
        self.old.cut(job.old, wanted, len(a))
        self.new.cut(job.new, wanted, len(b))
        known = min(len(a), len(b), wanted)
        if a[:known] == b[:known]:
            return Verdict((), known)
        return Verdict([at for at in range(known) if a[at] != b[at]], known)


def _differing(a: Block, b: Block, size: int) -> Iterator[int]:
    """The units of two buffers that differ."""
    for low in range(0, size, PART):
        high = min(size, low + PART)
        if a[low:high] != b[low:high]:
            yield from (at // UNIT for at in range(low, high, UNIT) if a[at : at + UNIT] != b[at : at + UNIT])
