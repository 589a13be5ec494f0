"""A catalogue in an SQL database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cryoscope import limits
from cryoscope.evidence.catalogue import projection, queries, rows
from cryoscope.evidence.catalogue.database import Database
from cryoscope.evidence.catalogue.tables import ENTRIES
from cryoscope.evidence.catalogue.trouble import Conflict
from cryoscope.evidence.ports import AmbiguousPiece, EvidenceError, Filter, Sign
from cryoscope.evidence.records import PRUNED, Case, Entry, Head, Piece, SignedEntry
from cryoscope.text import escape

if TYPE_CHECKING:
    from sqlalchemy import Connection

PAGE = 100
"""Entries that are read at once; no transaction stays open while somebody looks at them."""


class SqlCatalogue:
    """The `Catalogue` of ports; every method is one transaction, `entries` one for each page."""

    def __init__(self, database: Database) -> None:
        self.url = database.url
        self._database = database

    def append(self, case: str, sign: Sign) -> Entry:
        """Lock the case, sign the next entry, store it and project it, in one transaction.

        Raises as `projection.apply` does, and `EvidenceError` `custody.chain` where `sign` gave something
        else than the next entry.
        """
        found: list[Case] = []
        with self._alone(case, found), self._database.writing() as connection:
            found += rows.cases(connection.execute(queries.case(case, lock=True)))
            head = _head(connection, case)
            signed = sign(head)
            entry = _next(signed, head)
            projection.apply(entry, rows.CaseRows(connection, case, found[0] if found else None))
            connection.execute(ENTRIES.insert().values(_row(entry, signed)))
        return entry

    @contextmanager
    def _alone(self, case: str, found: list[Case]) -> Iterator[None]:
        """Two that make one case at once: the one that comes later learns of it from a key of the table."""
        try:
            yield
        except Conflict:
            if found:  # it was locked: somebody has put a row where the next entry belongs
                raise EvidenceError(
                    f"the custody log of case {escape(case)} takes no entry: the next one's place is taken",
                    hint="it was altered: `case verify` says what is wrong",
                    code="custody.chain",
                ) from None
            raise EvidenceError(f"there is a case {escape(case)} already", code="case.exists") from None

    def cases(self) -> list[Case]:
        """All cases by name."""
        with self._database.reading() as connection:
            return rows.cases(connection.execute(queries.cases()))

    def case(self, name: str) -> Case:
        """One case; raises `NoSuchCase`."""
        with self._database.reading() as connection:
            return _case(connection, name)

    def told(self) -> list[str]:
        """Names of all cases that the log or a piece tells of, also where no row of theirs is left."""
        with self._database.reading() as connection:
            return sorted({str(row[0]) for query in queries.told() for row in connection.execute(query)})

    def pieces(self, wanted: Filter) -> list[Piece]:
        """Pieces, newest first."""
        with self._database.reading() as connection:
            return rows.pieces(connection.execute(queries.pieces(wanted)))

    def piece(self, case: str, reference: str) -> Piece:
        """By SHA-256, its first digits (four at least) or its name; one that is there before one that was.

        Raises `NoSuchCase`, `NoSuchPiece`, `AmbiguousPiece`.
        """
        with self._database.reading() as connection:
            _case(connection, case)
            asked = [connection.execute(query) for query in queries.named(case, reference)]
            found = {one.sha256: one for answer in asked for one in rows.pieces(answer)}
        return _meant(case, reference, [*found.values()])

    def head(self, case: str) -> Head:
        """The newest entry; raises `NoSuchCase`."""
        with self._database.reading() as connection:
            _case(connection, case)
            return _head(connection, case)

    def entries(self, case: str, *, after: int = 0) -> Iterator[SignedEntry]:
        """The log from its start, or behind an entry; what is appended meanwhile comes, too."""
        while True:
            with self._database.reading() as connection:
                found = connection.execute(queries.entries(case, after, PAGE)).all()
            for row in found:
                after = rows.number(row[0])
                yield rows.signed(row[1:])
            if len(found) < PAGE:
                return

    def snapshot(self, case: str) -> tuple[Case, dict[str, Piece]]:
        """The rows of a case at one moment, in the form of `projection.replay`.

        `Case.head` says up to which entry a log is to be replayed to be held against it.
        """
        with self._database.reading() as connection:
            now = _case(connection, case)
            found = rows.pieces(connection.execute(queries.pieces(Filter(case=case))))
        return now, {piece.sha256: piece for piece in found}

    def close(self) -> None:
        """Close its connections."""
        self._database.close()


def _case(connection: Connection, name: str) -> Case:
    found = rows.cases(connection.execute(queries.case(name)))
    if not found:
        raise projection.no_case(name)
    return found[0]


def _head(connection: Connection, case: str) -> Head:
    row = connection.execute(queries.newest(case)).first()
    if row is None:
        return Head(case=case)
    signed = rows.signed(row)
    entry = projection.read(signed)
    return Head(case=case, number=entry.number, time=entry.time, hash=signed.hash)


def _next(signed: SignedEntry, head: Head) -> Entry:
    """The entry, if it is the one behind the head."""
    if len(signed.body) > limits.CUSTODY_ENTRY:
        raise EvidenceError(
            f"an entry of the custody log has {limits.CUSTODY_ENTRY} bytes at most", code="custody.entry"
        )
    entry = projection.read(signed)
    place = entry.case, entry.number, entry.previous, signed.hash
    if place != (head.case, head.number + 1, head.hash, hashlib.sha256(signed.body).hexdigest()):
        raise EvidenceError("what was signed is not the next entry of the custody log", code="custody.chain")
    return entry


def _row(entry: Entry, signed: SignedEntry) -> dict[str, object]:
    return {
        "case": entry.case,
        "number": entry.number,
        "hash": signed.hash,
        "key_id": signed.key_id,
        "signature": signed.signature,
        "body": signed.body,
    }


def _meant(case: str, reference: str, found: list[Piece]) -> Piece:
    """The one piece that a reference means."""
    there = [piece for piece in found if piece.sha256 == reference.lower()]
    there = there or [piece for piece in found if piece.state != PRUNED] or found
    if not there:
        raise projection.no_piece(case, reference)
    if len(there) > 1:
        digests = ", ".join(piece.sha256[:16] for piece in there[:5])
        raise AmbiguousPiece(
            f"{escape(reference)} may be any of {digests}", hint="give more digits of its SHA-256"
        )
    return there[0]
