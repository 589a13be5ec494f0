"""The search itself: scan, ask whose the candidates are, confirm, and put together what is one hit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.rootfs.tars import Held, tars
from cryoscope.errors import Damaged, UsageError
from cryoscope.examine.search import files, places
from cryoscope.examine.search.confirm import Claim, Match, claim, matches
from cryoscope.examine.search.engine import Engine
from cryoscope.examine.search.evidence import Evidence
from cryoscope.examine.search.hits import IN_FILES, IN_PAGES, PLACES, Hit, SearchResult
from cryoscope.examine.search.layout import Layout
from cryoscope.examine.search.pages import PageHits
from cryoscope.examine.search.patterns import Pattern
from cryoscope.examine.search.records import record
from cryoscope.examine.search.runs import FileRun
from cryoscope.examine.search.scan import MemberScan, Progress
from cryoscope.examine.search.sweep import Sink
from cryoscope.examine.search.tapped import Placed, StreamScan
from cryoscope.examine.search.where import Where

EVERYWHERE = Where()

PAGES = re.compile(r"(?:.*/)?pages-\d+\.img")
"""CRIU's names of pages images, in whatever folder an engine puts them."""


def search(
    checkpoint: Checkpoint,
    patterns: Sequence[Pattern],
    *,
    where: Where = EVERYWHERE,
    tap: StreamScan | None = None,
    damaged: list[Damaged] | None = None,
    progress: Progress | None = None,
) -> SearchResult:
    """The hits of patterns in a checkpoint; what could not be read is appended to `damaged`.

    `tap` is what the archive was opened with, so that what streamed by is not read again; `progress`
    is told bytes scanned and to scan.  An interrupt (KeyboardInterrupt) ends the scan, not the search:
    the result then holds what was found, and `complete` is false.  Raises UsageError for patterns
    that are none.
    """
    if len(patterns) > limits.SEARCH_PATTERNS:
        raise UsageError(f"{len(patterns)} patterns, more than {limits.SEARCH_PATTERNS}")
    engine = tap.engine if tap is not None else Engine(patterns)
    asked = _Search(checkpoint, engine, where, tap, damaged if damaged is not None else [])
    asked.look()
    asked.scan(progress)
    return asked.result()


class _Search:
    def __init__(
        self,
        checkpoint: Checkpoint,
        engine: Engine,
        where: Where,
        tap: StreamScan | None,
        damaged: list[Damaged],
    ) -> None:
        self.checkpoint = checkpoint
        self.archive: Archive = checkpoint.archive
        self.engine = engine
        self.where = where
        self.damaged = damaged
        self.complete = tap is None or not tap.interrupted
        self._streamed = tap.found(self.archive) if tap is not None else None
        self._sink = tap.sink if tap is not None else Sink(engine)
        self._scan = MemberScan(self.archive, self._sink, damaged) if self._streamed is None else None
        self._threads = 2 if self.archive.seekable else 1
        self._hits: list[Hit] = []
        self.layout: Layout | None = None
        self.tars: list[Held] = []

    def look(self) -> None:
        """See what there is, while pages that will be asked for in any case are scanned already."""
        ahead = [name for name in self.archive.members if PAGES.fullmatch(name)]
        if self._scan is not None and self.where.all_pages:
            self._scan.begin(ahead, threads=self._threads)
        try:
            if any(self.where.covers(place) for place in IN_PAGES):
                self.layout = Layout(self.checkpoint)
            found = tars(self.checkpoint.archive, self.checkpoint.prefix, self.damaged)
            self.tars = [held for held in found if self.where.covers(held.place)]
        except BaseException:
            if self._scan is not None:
                self._scan.stop()
            raise

    # --- scanning ---------------------------------------------------------------------------
    def scan(self, progress: Progress | None) -> None:
        """Scan everything; an interrupt goes on with what was found."""
        steps: list[Callable[[], None]] = [lambda: self._members(progress), self._buffers, self._packed]
        for step in steps:
            try:
                if self.complete:
                    step()
            except KeyboardInterrupt:
                self.complete = False
        for found in (self._in_pages, self._in_plain_files):
            found()

    def _members(self, progress: Progress | None) -> None:
        if self._scan is not None:
            names = [*self._pages(), *(tar.member for tar in self.tars if not tar.packed)]
            self._scan.run(dict.fromkeys(names), threads=self._threads, progress=progress)

    def _pages(self) -> list[str]:
        """Pages images in which there may be a hit that is asked for."""
        layout = self.layout
        return [] if layout is None else [m for m in layout.members if layout.wanted(m, self.where)]

    def _found(self) -> list[Placed]:
        if self._streamed is not None:
            return self._streamed
        return self._scan.found if self._scan is not None else []

    # --- places -----------------------------------------------------------------------------
    def _in_pages(self) -> None:
        if self.layout is not None:
            pages = set(self._pages())
            found = [placed for placed in self._found() if placed.member in pages]
            asked = PageHits(self.layout, self.engine, Evidence(self.archive, self.damaged), self.where)
            self._hits += [hit for hit in asked.hits(found) if self.where.admits(hit)]

    def _buffers(self) -> None:
        scan = self.engine.fresh().scanner()
        buffers = places.Buffers(self.checkpoint, self.damaged)
        for place in PLACES:
            if self.where.covers(place):
                for buffer in buffers.of(place):
                    self._in_buffer(buffer, scan(buffer.data))

    def _in_buffer(self, buffer: places.Buffer, found: Sequence[tuple[int, int, int]]) -> None:
        by_index: dict[int, list[Claim]] = {}
        for index, low, high in found:
            by_index.setdefault(index, []).append(Claim(low, high, 0, buffer.data, True))
        for index, claims in by_index.items():
            for match in matches(self.engine.programs[index], claims, lambda view: view):
                hit = record(
                    self.engine.programs[index].pattern,
                    buffer.place,
                    match,
                    holders=buffer.holders,
                    object=buffer.number,
                    path=buffer.path,
                    member=buffer.member,
                    offset=places.offset_in(self.checkpoint, buffer, match.address),
                )
                if self.where.admits(hit):
                    self._hits.append(hit)

    def _packed(self) -> None:
        for tar in self.tars:
            if tar.packed:
                found = [*files.in_packed(self.archive, tar, self.engine.fresh(), self.damaged)]
                evidence = Evidence(None, self.damaged)
                evidence.keep(Placed(tar.member, 0, each.raw) for each in found)
                self._in_files(found, evidence)

    def _in_plain_files(self) -> None:
        by_member: dict[str, list[Placed]] = {}
        for placed in self._found():
            by_member.setdefault(placed.member, []).append(placed)
        for tar in self.tars:
            if not tar.packed and tar.member in by_member:
                evidence = Evidence(self.archive, self.damaged)
                evidence.keep(by_member[tar.member])
                found = files.in_plain(self.archive, tar, by_member[tar.member], self.damaged)
                self._in_files([*found], evidence)

    def _in_files(self, found: list[files.InFile], evidence: Evidence) -> None:
        groups: dict[tuple[str, int, int], list[files.InFile]] = {}
        for each in found:
            groups.setdefault((each.path, each.run.whole.offset, each.raw.number), []).append(each)
        for (path, offset, index), members in groups.items():
            for match in self._in_file(index, members, evidence):
                hit = record(
                    self.engine.programs[index].pattern,
                    members[0].held.place,
                    match,
                    path=path,
                    member=members[0].held.member,
                    offset=offset + match.address,
                )
                if self.where.admits(hit):
                    self._hits.append(hit)

    def _in_file(self, index: int, found: list[files.InFile], evidence: Evidence) -> Iterator[Match]:
        program, run = self.engine.programs[index], found[0].run

        def widen(view: Claim) -> Claim:
            return claim(run, program, view.low, view.high, evidence.fetch, much=True) or view

        def claims() -> Iterator[Claim]:
            for each in found:
                made = in_window(each, run)
                if made is not None:
                    yield made

        found_twice = [*matches(program, claims(), widen)]
        return iter([*matches(program, claims(), widen)] if evidence.fill() else found_twice)

    # --- the answer -------------------------------------------------------------------------
    def result(self) -> SearchResult:
        """Everything found, in order, each once."""
        order = list(PLACES)
        names = {program.pattern.name: program.number for program in reversed(self.engine.programs)}
        hits = sorted(
            self._hits,
            key=lambda hit: (
                names.get(hit.pattern, 0),
                order.index(hit.place),
                hit.address if hit.address is not None else -1,
                hit.path or "",
                hit.member or "",
                hit.offset or 0,
            ),
        )
        counts = dict.fromkeys((program.pattern.name for program in self.engine.programs), 0)
        counts |= Counter(hit.pattern for hit in hits)
        return SearchResult(hits, counts, list(self.engine.notes), self.complete)


def in_window(each: files.InFile, run: FileRun) -> Claim | None:
    """The claim of a candidate in a file, with the bytes kept with it that are the file's."""
    raw, size = each.raw, run.whole.length
    start = raw.start - each.shift
    data = raw.data[max(0, -start) : max(0, size - start)]
    low, high = max(0, raw.low - each.shift), min(size, raw.high - each.shift)
    start = max(0, start)
    ends = start + len(data) == size
    return Claim(low, high, start, data, ends and start == 0) if low < high else None


__all__ = ["IN_FILES", "search"]
