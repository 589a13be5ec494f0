"""What an entry of a custody log does to its case: one rule, for the catalogue and for a replay of the log.

Pure: where the rows are is the caller's (`Rows`).  Texts of an archive are cut for the catalogue (`text`);
the manifest has them whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from cryoscope import limits
from cryoscope.evidence.ports import EvidenceError, NoSuchCase, NoSuchPiece
from cryoscope.evidence.records import (
    ACTIONS,
    KEPT,
    PRUNED,
    PRUNING,
    Case,
    Entry,
    Piece,
    Problem,
    SignedEntry,
)
from cryoscope.text import escape

SHA256 = re.compile("[0-9a-f]{64}")
NUMBERS = 1 << 63
"""One more than the largest number that a database has a column for."""
TEXTS = (
    "name",
    "format",
    "added",
    "operator",
    "captured",
    "engine",
    "container",
    "container_id",
    "pod",
    "namespace",
    "node",
    "image",
)
"""Fields of a piece that are texts which an archive or a user chose."""

replace = msgspec.structs.replace


class Rows(Protocol):
    """The rows of one case."""

    def case(self) -> Case | None:
        """The case, None before it is made."""

    def piece(self, sha256: str) -> Piece | None:
        """A piece of it."""

    def put_case(self, case: Case) -> None:
        """Make or change it."""

    def put_piece(self, piece: Piece) -> None:
        """Make or change a piece."""


Change = Callable[[Entry, Case, Rows], Case]


def apply(entry: Entry, rows: Rows) -> None:
    """Do to the rows what an entry says.

    Raises `NoSuchCase`, `NoSuchPiece`, `EvidenceError`: `case.exists`, `case.piece-exists`, `case.held`,
    `case.not-held`, `case.piece-pruned`, `case.piece-kept`, `custody.entry` for one that makes no sense.
    """
    case = rows.case()
    if entry.action == "new":
        case = _made(entry, case)
    elif case is None:
        raise no_case(entry.case)
    else:
        case = _change(entry.action)(entry, case, rows)
    rows.put_case(replace(case, head=entry.number))


def replay(
    entries: Iterable[Entry | SignedEntry], problems: list[Problem] | None = None
) -> tuple[Case, dict[str, Piece]]:
    """The case and its pieces by SHA-256, as a log says that they are.

    An entry that cannot be done raises what `apply` raises; with `problems` it is noted there instead
    and passed over (`custody.entry`).  Raises `NoSuchCase` where no entry makes the case.
    """
    rows = _Memory()
    for given in entries:
        try:
            entry = read(given) if isinstance(given, SignedEntry) else given
            rows.name = entry.case
            apply(entry, rows)
        except EvidenceError as error:
            if problems is None:
                raise
            problems.append(_noted(given, error))
    if rows.now is None:
        raise no_case(rows.name)
    return rows.now, rows.pieces


def read(signed: SignedEntry) -> Entry:
    """The entry of a body; raises `EvidenceError` `custody.entry` where there is none in it."""
    try:
        return msgspec.json.decode(signed.body, type=Entry)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _senseless(f"its text is no entry: {escape(str(error))}") from None


def differences(
    catalogue: tuple[Case, dict[str, Piece]], replayed: tuple[Case, dict[str, Piece]]
) -> list[Problem]:
    """Where the rows of a case (`Catalogue.snapshot`) are not what its log says (`custody.catalogue`)."""
    (case, pieces), (said, expected) = catalogue, replayed
    found = _differ(f"case {case.name}", case, said, None)
    for sha256 in sorted(pieces.keys() | expected.keys()):
        found += _differ(f"piece {sha256}", pieces.get(sha256), expected.get(sha256), sha256)
    return found


def text(value: str, most: int = limits.CATALOGUE_TEXT) -> str:
    """A text as a column has it: PostgreSQL takes no NUL, and its indexes nothing long."""
    return value.replace("\0", "\ufffd")[:most]


def no_case(name: str) -> NoSuchCase:
    return NoSuchCase(f"there is no case {escape(name)}", hint="`cryoscope case list` names those there are")


def no_piece(case: str, reference: str) -> NoSuchPiece:
    return NoSuchPiece(
        f"there is no {escape(text(reference))} in case {escape(case)}",
        hint=f"`cryoscope case show {escape(case)}` lists its pieces",
    )


class _Memory:
    """The rows of one case, in memory."""

    def __init__(self) -> None:
        self.name = ""
        self.now: Case | None = None
        self.pieces: dict[str, Piece] = {}

    def case(self) -> Case | None:
        return self.now

    def piece(self, sha256: str) -> Piece | None:
        return self.pieces.get(sha256)

    def put_case(self, case: Case) -> None:
        self.now = case

    def put_piece(self, piece: Piece) -> None:
        self.pieces[piece.sha256] = piece


def _change(action: str) -> Change:
    if action not in ACTIONS:
        raise _senseless(f"{escape(text(action))} is no action that this release knows")
    return CHANGES.get(action, _seen)


def _made(entry: Entry, there: Case | None) -> Case:
    if there is not None:
        raise EvidenceError(f"there is a case {escape(entry.case)} already", code="case.exists")
    if not 0 < len(entry.case) <= limits.CASE_NAME or "\0" in entry.case:
        raise EvidenceError(f"a case's name has 1 to {limits.CASE_NAME} characters", code="case.name")
    said = entry.details.get("description", "")
    if not isinstance(said, str):
        raise _senseless("its description is no text")
    return Case(
        name=entry.case,
        created=entry.time,
        operator=text(entry.operator),
        description=text(said, limits.CASE_DESCRIPTION),
    )


def _added(entry: Entry, case: Case, rows: Rows) -> Case:
    """A new piece, or one that was pruned and is there again."""
    piece = _piece(entry)
    there = rows.piece(piece.sha256)
    if there is not None and there.state != PRUNED:
        raise EvidenceError(
            f"{piece.sha256} is in case {escape(entry.case)} already, as {escape(there.name)}",
            code="case.piece-exists",
        )
    rows.put_piece(piece)
    return replace(case, pieces=case.pieces + 1, size=_number(case.size + piece.stored.size))


def _piece(entry: Entry) -> Piece:
    """The row of an added piece."""
    try:
        said = msgspec.convert(entry.details.get("piece"), Piece)
    except msgspec.ValidationError as error:
        raise _senseless(f"its piece is none: {escape(str(error))}") from None
    if said.sha256 != entry.piece or not SHA256.fullmatch(said.sha256):
        raise _senseless("its piece is another one")
    _number(said.size)
    _number(said.stored.size)
    cut = {name: text(value) for name in TEXTS if (value := getattr(said, name)) is not None}
    return replace(said, case=entry.case, state=KEPT, holds=0, manifest=text(said.manifest), **cut)


def _held(entry: Entry, case: Case, rows: Rows) -> Case:
    if entry.piece is None:
        return replace(case, hold=True)
    piece = _known(entry, rows)
    if piece.state != KEPT:
        raise _gone(piece)
    rows.put_piece(replace(piece, holds=piece.holds + 1))
    return case


def _released(entry: Entry, case: Case, rows: Rows) -> Case:
    if entry.piece is None:
        if not case.hold:
            raise _not_held(f"case {escape(case.name)}")
        return replace(case, hold=False)
    piece = _known(entry, rows)
    if not piece.holds:
        raise _not_held(piece.sha256)
    rows.put_piece(replace(piece, holds=piece.holds - 1))
    return case


def _pruning(entry: Entry, case: Case, rows: Rows) -> Case:
    """From here on a piece does not count; a hold that came since somebody planned this wins."""
    piece = _known(entry, rows, needed=True)
    if piece.state != KEPT:
        raise _gone(piece)
    if case.hold or piece.holds:
        raise EvidenceError(
            f"{piece.sha256} is on hold", hint="`cryoscope case release` ends a hold", code="case.held"
        )
    rows.put_piece(replace(piece, state=PRUNING))
    return replace(case, pieces=case.pieces - 1, size=case.size - piece.stored.size)


def _pruned(entry: Entry, case: Case, rows: Rows) -> Case:
    piece = _known(entry, rows, needed=True)
    if piece.state == PRUNED:
        raise _gone(piece)
    if piece.state == KEPT:
        raise EvidenceError(f"nobody decided to prune {piece.sha256}", code="case.piece-kept")
    rows.put_piece(replace(piece, state=PRUNED))
    return case


def _seen(entry: Entry, case: Case, rows: Rows) -> Case:
    """What changes nothing still has to be about a piece that there is."""
    if entry.piece is not None:
        _known(entry, rows)
    return case


CHANGES: dict[str, Change] = {
    "capture": _added,
    "add": _added,
    "hold": _held,
    "release": _released,
    "prune": _pruning,
    "pruned": _pruned,
}
"""By action; the others are only told."""


def _known(entry: Entry, rows: Rows, *, needed: bool = False) -> Piece:
    piece = rows.piece(entry.piece) if entry.piece is not None else None
    if piece is None:
        raise no_piece(entry.case, entry.piece or "piece without a name")
    return piece


def _number(value: int) -> int:
    if not 0 <= value < NUMBERS:
        raise _senseless("a size of it is none")
    return value


def _senseless(why: str) -> EvidenceError:
    return EvidenceError(
        f"an entry of the custody log makes no sense: {why}",
        hint="a newer release of cryoscope may have written it",
        code="custody.entry",
    )


def _gone(piece: Piece) -> EvidenceError:
    was = "is being pruned" if piece.state == PRUNING else "was pruned"
    return EvidenceError(f"{piece.sha256} {was}", code="case.piece-pruned")


def _not_held(what: str) -> EvidenceError:
    return EvidenceError(f"{what} is not on hold", code="case.not-held")


def _noted(given: Entry | SignedEntry, error: EvidenceError) -> Problem:
    where = f"entry {given.number}" if isinstance(given, Entry) else f"entry with hash {given.hash[:16]}"
    return Problem(code="custody.entry", where=where, what=error.message, piece=getattr(given, "piece", None))


def _differ(
    where: str, row: Case | Piece | None, said: Case | Piece | None, piece: str | None
) -> list[Problem]:
    """What is wrong with one row."""
    if row == said:
        return []
    if row is None or said is None:
        what = "the log has it, the catalogue does not" if row is None else "the log knows nothing of it"
    else:
        names = [name for name in row.__struct_fields__ if getattr(row, name) != getattr(said, name)]
        what = "the log says otherwise of " + ", ".join(names)
    return [Problem(code="custody.catalogue", where=where, what=what, piece=piece)]
