"""Rows and records: what is read of a database is as hostile as an archive."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from cryoscope.evidence.catalogue.alchemy import sa
from cryoscope.evidence.catalogue.tables import CASES, OF_PIECE, PIECES
from cryoscope.evidence.ports import EvidenceError
from cryoscope.evidence.records import Case, Piece, Record, SignedEntry, Stored
from cryoscope.text import escape

if TYPE_CHECKING:
    from sqlalchemy import Connection, Result

STORED = msgspec.json.Decoder(Stored)
PART = 100
"""Rows that become records at once: what they are made of is gone before the next ones come."""
UNREADABLE = (msgspec.ValidationError, msgspec.DecodeError, TypeError, UnicodeDecodeError)
R = TypeVar("R", bound=Record)


class CaseRows:
    """The rows of one case in a transaction: the `Rows` of `projection`."""

    def __init__(self, connection: Connection, name: str, case: Case | None) -> None:
        self._connection = connection
        self._name = name
        self._case = case
        self._pieces: dict[str, Piece] = {}

    def case(self) -> Case | None:
        return self._case

    def piece(self, sha256: str) -> Piece | None:
        chosen = sa.select(*OF_PIECE).where(PIECES.c.case == self._name, PIECES.c.sha256 == sha256)
        found = pieces(self._connection.execute(chosen))
        self._pieces |= {piece.sha256: piece for piece in found}
        return found[0] if found else None

    def put_case(self, case: Case) -> None:
        values = msgspec.structs.asdict(case)
        change: Any = (
            CASES.insert() if self._case is None else CASES.update().where(CASES.c.name == case.name)
        )
        self._connection.execute(change.values(values))

    def put_piece(self, piece: Piece) -> None:
        values = msgspec.structs.asdict(piece)
        values["stored"] = msgspec.json.encode(piece.stored).decode()
        change: Any = PIECES.insert()
        if piece.sha256 in self._pieces:
            change = PIECES.update().where(PIECES.c.case == self._name, PIECES.c.sha256 == piece.sha256)
        self._connection.execute(change.values(values))


def cases(rows: Iterable[Sequence[Any]]) -> list[Case]:
    """The cases of rows with `OF_CASE`."""
    names = Case.__struct_fields__
    return [_record(dict(zip(names, row, strict=True)), Case) for row in rows]


def pieces(rows: Result[Any]) -> list[Piece]:
    """The pieces of rows with `OF_PIECE`; 100,000 take half a second."""
    found: list[Piece] = []
    with _uncollected():
        for part in rows.partitions(PART):
            found += _pieces(part)
    return found


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector, which goes through a growing list again and again: half the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _pieces(rows: Iterable[Sequence[Any]]) -> list[Piece]:
    names, stored = Piece.__struct_fields__, STORED.decode
    found = [dict(zip(names, row, strict=True)) for row in rows]
    try:
        for values in found:
            values["stored"] = stored(values["stored"])
        return msgspec.convert(found, list[Piece])
    except UNREADABLE:
        return [_piece(values) for values in found]


def signed(row: Sequence[Any]) -> SignedEntry:
    """The entry of a row with the columns of `SignedEntry`."""
    return _record(dict(zip(SignedEntry.__struct_fields__, row, strict=True)), SignedEntry)


def number(value: object) -> int:
    """The number of an entry's row; SQLite keeps in any column whatever somebody puts there."""
    if not isinstance(value, int):
        raise _damaged(value, TypeError("its number in the custody log is none"))
    return value


def _piece(values: dict[str, Any]) -> Piece:
    """One piece on its own, to say which is damaged."""
    try:
        if not isinstance(values["stored"], Stored):
            values["stored"] = STORED.decode(values["stored"])
    except UNREADABLE as error:
        raise _damaged(values.get("sha256"), error) from None
    return _record(values, Piece)


def _record(values: dict[str, Any], kind: type[R]) -> R:
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise _damaged(values.get("sha256") or values.get("name") or values.get("hash"), error) from None


def _damaged(what: object, why: Exception) -> EvidenceError:
    return EvidenceError(
        f"the row of {escape(str(what)[:100])} in the catalogue is damaged: {escape(str(why)[:200])}",
        hint="the custody log and the manifests are the truth: `cryoscope case verify` holds it against them",
        code="evidence.catalogue-damaged",
    )
