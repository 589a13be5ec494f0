"""Hits in pages: candidates in images become matches at addresses, and equal ones of forks one hit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

from cryoscope.examine.search.confirm import Claim, Match, claim, matches
from cryoscope.examine.search.engine import Engine, Program
from cryoscope.examine.search.evidence import Evidence
from cryoscope.examine.search.hits import Hit, Owner
from cryoscope.examine.search.layout import Layout, Seen, Spot
from cryoscope.examine.search.records import record
from cryoscope.examine.search.runs import Piece, joined, rows
from cryoscope.examine.search.seams import windows
from cryoscope.examine.search.sweep import PAGE, SIDE, Raw, reach
from cryoscope.examine.search.tapped import Placed
from cryoscope.examine.search.where import Where

ROUNDS = 3
"""Times that hits are confirmed anew after bytes of a stream had to be read again."""


class Found(NamedTuple):
    """A match in what somebody sees."""

    seen: Seen
    number: int
    match: Match


class PageHits:
    """Confirms what a scan of pages images found."""

    def __init__(self, layout: Layout, engine: Engine, evidence: Evidence, where: Where) -> None:
        self.layout = layout
        self.engine = engine
        self.evidence = evidence
        self.where = where

    def hits(self, placed: list[Placed]) -> list[Hit]:
        """The hits that begin in the candidates, or lie across seams."""
        self.evidence.keep(placed)
        found: list[Found] = []
        hits: list[Hit] = []
        for _ in range(ROUNDS):
            found = self._confirmed(placed)
            hits = [*self._together(found)]
            if not self.evidence.fill():
                break
        return hits

    # --- candidates -------------------------------------------------------------------------
    def _confirmed(self, placed: list[Placed]) -> list[Found]:
        claims: dict[tuple[str, int, int], tuple[Seen, list[Claim]]] = {}
        for seen, index, made in self._claims(placed):
            claims.setdefault((seen.kind, seen.number, index), (seen, []))[1].append(made)
        return [
            Found(seen, index, match)
            for (_, _, index), (seen, made) in claims.items()
            for match in self._matches(seen, self.engine.programs[index], made)
        ]

    def _matches(self, seen: Seen, program: Program, made: list[Claim]) -> Iterator[Match]:
        def widen(view: Claim) -> Claim:
            return claim(seen.run, program, view.low, view.high, self.evidence.fetch, much=True) or view

        return matches(program, made, widen)

    def _claims(self, placed: list[Placed]) -> Iterator[tuple[Seen, int, Claim]]:
        for member, shift, raw in placed:
            for spot in self.layout.spots(member, max(0, raw.low - shift), raw.high - shift):
                if self.where.covers(spot.seen.kind):
                    made = self._claim(spot, shift, raw)
                    if made is not None:
                        yield spot.seen, raw.number, made
        yield from self._seams()

    def _claim(self, spot: Spot, shift: int, raw: Raw) -> Claim | None:
        """The claim of a candidate: from the bytes kept with it, cut to those the run goes on with."""
        program = self.engine.programs[raw.number]
        high = spot.address + spot.length
        before = spot.offset + shift - raw.start
        pieces = spot.seen.run.pieces(spot.address, before, len(raw.data) - before)
        if not pieces:
            return None
        if len(pieces) > 1:
            return claim(spot.seen.run, program, spot.address, high, self.evidence.fetch, much=True)
        data = self._of(pieces[0], shift, raw)
        # the scan kept whole matches: a stream is not read again to see that there is no longer one
        return Claim(spot.address, high, pieces[0].start, data, self.evidence.streamed) if data else None

    def _of(self, piece: Piece, shift: int, raw: Raw) -> bytes:
        start = piece.offset + shift - raw.start
        if start >= 0 and start + piece.length <= len(raw.data):
            return raw.data[start : start + piece.length]
        return self.evidence.fetch(piece.member, piece.offset, piece.length)

    def _seams(self) -> Iterator[tuple[Seen, int, Claim]]:
        span = max((min(reach(p), self.engine.span + p.around) for p in self.engine.programs), default=1)
        scan = None
        for seen, low, high in windows(self.layout, span + SIDE):
            if not self.where.covers(seen.kind):
                continue
            scan = scan or self.engine.scanner()
            for start, data in self._stretches(seen, low, high):
                for index, first, last in scan(data):
                    program = self.engine.programs[index]
                    fetch = self.evidence.fetch
                    made = claim(seen.run, program, start + first, start + last, fetch, much=True)
                    if made is not None:
                        yield seen, index, made

    def _stretches(self, seen: Seen, low: int, high: int) -> Iterator[tuple[int, bytes]]:
        """The bytes known between two addresses, those without a gap together."""
        for pieces in rows(seen.run.between(low, high)):
            yield pieces[0].start, joined(pieces, self.evidence.fetch)

    # --- one hit each -----------------------------------------------------------------------
    def _together(self, found: list[Found]) -> Iterator[Hit]:
        """One hit for all processes of one tree that have equal pages at one address."""
        groups: dict[tuple[int, int, int], list[Found]] = {}
        for each in found:
            if each.seen.kind == "memory":
                key = (each.number, each.match.address, each.match.size)
                groups.setdefault(key, []).append(each)
            else:
                yield from self._hit([each])
        for group in groups.values():
            for equal in self._equal(group):
                yield from self._hit(equal)

    def _equal(self, group: list[Found]) -> Iterable[list[Found]]:
        if len(group) == 1:
            return [group]
        parts: dict[tuple[object, ...], list[Found]] = {}
        for each in group:
            key = (self.layout.root(each.seen.number), *self._pages_of(each))
            parts.setdefault(key, []).append(each)
        return parts.values()

    def _pages_of(self, each: Found) -> Iterator[object]:
        """Hashes of the pages that a match lies in."""
        first = each.match.address // PAGE * PAGE
        last = each.match.address + each.match.size
        for address in range(first, last, PAGE):
            for piece in each.seen.run.pieces(address, 0, PAGE):
                yield self.evidence.page(piece.member, piece.offset)

    def _hit(self, equal: list[Found]) -> Iterator[Hit]:
        seen, index, match = equal[0]
        owners = [owner for each in equal for owner in self.layout.owners(each.seen, match.address)]
        if seen.kind == "memory" and not owners:
            return
        first = _first(seen.run.pieces(match.address, 0, 1))
        shared = {"object": seen.number, "path": None} if seen.kind == "shared" else {}
        chosen = next((owner for owner in owners if self.where.admits_owner(owner)), None)
        yield record(
            self.engine.programs[index].pattern,
            seen.kind,
            match,
            processes=owners,
            **_of_owner(chosen or _first(owners)),
            **shared | ({"path": owners[0].vma.path} if owners else {}),
            member=first.member if first else None,
            offset=first.offset if first else None,
        )


def _of_owner(owner: Owner | None) -> dict[str, object]:
    return {} if owner is None else {"address": owner.address, "vma": owner.vma}


T = TypeVar("T")


def _first(items: list[T]) -> T | None:
    return items[0] if items else None
