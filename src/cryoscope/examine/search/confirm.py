"""From places where a pattern may match to the matches that `re.finditer` gives on the run.

Candidates of one run and pattern are taken in the order of their addresses.  A match begins at the
leftmost place where `re` finds one, behind the match before it: every true match begins inside some
candidate, so that nothing between them need be looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from cryoscope.examine.search.engine import Program
from cryoscope.examine.search.runs import Fetch, Run, joined
from cryoscope.examine.search.sweep import PAGE, SIDE, reach


class Claim(NamedTuple):
    """A match may begin in a run from `low` up to but not including `high`.

    `data` are bytes of the run from `start` on; `whole` if no more of them could change a match.
    """

    low: int
    high: int
    start: int
    data: bytes
    whole: bool = False


class Match(NamedTuple):
    """A match at an address of a run, with the bytes around it that are known."""

    address: int
    size: int
    start: int
    data: bytes

    @property
    def bytes(self) -> bytes:
        """What matched."""
        return self.data[self.address - self.start : self.address - self.start + self.size]


Widen = Callable[[Claim], Claim]


def claim(run: Run, program: Program, low: int, high: int, fetch: Fetch, *, much: bool) -> Claim | None:
    """A claim with the bytes that decide about it; with `much`, all that a long match could take."""
    behind = high - low + (reach(program) if much else min(reach(program), PAGE // 16)) + SIDE
    pieces = run.pieces(low, SIDE + program.around, behind)
    if not pieces:
        return None
    data = joined(pieces, fetch)
    end = pieces[0].start + len(data)
    return Claim(low, min(high, end), pieces[0].start, data, much) if low < end else None


def matches(program: Program, claims: Iterable[Claim], widen: Widen) -> Iterator[Match]:
    """The matches that begin in the claims, in the order of addresses."""
    last = -1
    for wanted in sorted(claims, key=lambda claim: (claim.low, claim.high)):
        at = max(wanted.low, last)
        view = wanted
        while at < wanted.high:
            found, view = _first(program, view, at, widen)
            if found is None or view.start + found.start() >= wanted.high:
                break
            yield Match(view.start + found.start(), len(found[0]), view.start, view.data)
            at = last = view.start + found.end()


def _first(program: Program, view: Claim, at: int, widen: Widen) -> tuple[re.Match[bytes] | None, Claim]:
    """The first match from `at` on; where more bytes could change it, they are asked for."""
    found = _search(program, view, at)
    if view.whole or (found is not None and found.end() + program.around < len(view.data)):
        return found, view
    if found is None and program.longest <= PAGE // 16:
        return found, view
    wider = widen(view)
    return _search(program, wider, at), wider


def _search(program: Program, view: Claim, at: int) -> re.Match[bytes] | None:
    place = at - view.start
    if view.high - at == 1:
        return program.regex.match(view.data, place)
    return program.regex.search(view.data, place)
