"""The custody log, and the catalogue against it."""

from __future__ import annotations

from cryoscope.evidence.catalogue.projection import differences, replay
from cryoscope.evidence.custody import Witness, check, read_entry
from cryoscope.evidence.ports import Catalogue, EvidenceError, NoSuchCase, Trust
from cryoscope.evidence.records import Case, Entry, Piece, Problem, SignedEntry

Rows = tuple[Case, dict[str, Piece]]
CURE = "restore the catalogue from a backup: the log and the manifests tell what was in it"


class Log:
    """What a log says: entries as kept, and pieces, also those that only the catalogue has."""

    def __init__(self, entries: list[SignedEntry], problems: list[Problem], pieces: dict[str, Piece]) -> None:
        self.entries, self.problems, self.pieces = entries, problems, pieces


def read_log(case: str, catalogue: Catalogue, trust: Trust, *, expect: Witness | None, now: str) -> Log:
    """The log of a case and its catalogue; raises `NoSuchCase` where nobody has heard of it."""
    entries, problems = _entries(case, catalogue, 0)
    rows, more = _rows(case, catalogue, heard=bool(entries or problems or expect))
    seen = len(entries)
    problems += more
    if not problems:
        later, problems = _entries(case, catalogue, _last(entries))
        entries += later
    problems = check(entries, trust, expect=expect, now=now, case=case) + problems
    # What was there before the rows were read must be in them; what came later may be.
    known = max(rows[0].head if rows else 0, _last(entries[:seen]))
    said = replayed([entry for entry in _read(entries) if entry.number <= known], problems)
    if rows is not None and said is not None:
        problems += differences(rows, said)
    pieces = (rows[1] if rows else {}) | (said[1] if said else {})
    return Log(entries, problems, pieces)


def replayed(entries: list[Entry], problems: list[Problem]) -> Rows | None:
    """What a log amounts to, read in the order of its numbers; None if it does not make a case."""
    try:
        ordered: list[Entry | SignedEntry] = [*sorted(entries, key=lambda entry: entry.number)]
        return replay(ordered, problems)
    except NoSuchCase:
        return None


def _read(entries: list[SignedEntry]) -> list[Entry]:
    """Those that can be read; `check` has named the others."""
    found = (read_entry(entry.body) for entry in entries)
    return [entry for entry in found if entry is not None]


def _last(entries: list[SignedEntry]) -> int:
    """The number behind which there may be more: counted, for what entries say may be forged."""
    return max((entry.number for entry in _read(entries[-1:])), default=len(entries))


def _entries(case: str, catalogue: Catalogue, after: int) -> tuple[list[SignedEntry], list[Problem]]:
    """The log as far as the catalogue can read it."""
    found: list[SignedEntry] = []
    try:
        found.extend(catalogue.entries(case, after=after))
    except EvidenceError as error:
        return found, [_unreadable(case, error)]
    return found, []


def _rows(case: str, catalogue: Catalogue, *, heard: bool) -> tuple[Rows | None, list[Problem]]:
    try:
        return catalogue.snapshot(case), []
    except NoSuchCase:
        if not heard:
            raise
        what = "the catalogue does not have the case any more"
        return None, [Problem(code="custody.catalogue", where=f"case {case}", what=what, cure=CURE)]
    except EvidenceError as error:
        return None, [_unreadable(case, error)]


def _unreadable(case: str, error: EvidenceError) -> Problem:
    return Problem(code=error.code, where=f"case {case}", what=error.message, cure=error.hint or CURE)
