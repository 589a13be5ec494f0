"""The questions that are asked of the tables, as SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cryoscope import limits
from cryoscope.evidence.catalogue import projection
from cryoscope.evidence.catalogue.alchemy import sa
from cryoscope.evidence.catalogue.tables import CASES, ENTRIES, OF_CASE, OF_PIECE, PIECES
from cryoscope.evidence.ports import Filter
from cryoscope.evidence.records import KEPT

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

EQUAL = ("case", "sha256", "state", "engine", "container", "pod", "namespace", "node", "image")
"""What of a filter must be equal to the column of that name."""
PREFIX = 4
"""Digits that name a piece at least."""
HELD = sa.or_(PIECES.c.holds > 0, PIECES.c.case.in_(sa.select(CASES.c.name).where(CASES.c.hold)))


def case(name: str, *, lock: bool = False) -> Select[Any]:
    """A case; with `lock` nobody else appends to it before the transaction ends."""
    chosen = sa.select(*OF_CASE).where(CASES.c.name == name)
    return chosen.with_for_update() if lock else chosen


def cases() -> Select[Any]:
    return sa.select(*OF_CASE).order_by(CASES.c.name)


def told() -> list[Select[Any]]:
    """Names of cases, as the log and the pieces have them."""
    return [sa.select(ENTRIES.c.case).distinct(), sa.select(PIECES.c.case).distinct()]


def pieces(wanted: Filter) -> Select[Any]:
    """The pieces of a filter, newest first."""
    chosen = sa.select(*OF_PIECE).where(*_conditions(wanted))
    return chosen.order_by(PIECES.c.added.desc(), PIECES.c.id.desc()).limit(wanted.limit)


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [
        PIECES.c[name] == projection.text(value)
        for name in EQUAL
        if (value := getattr(wanted, name)) is not None
    ]
    if wanted.added_from is not None:
        found.append(PIECES.c.added >= wanted.added_from)
    if wanted.added_to is not None:
        found.append(PIECES.c.added <= wanted.added_to)
    if wanted.held is not None:
        found.append(HELD if wanted.held else sa.not_(HELD))
    return found


def named(case: str, reference: str) -> list[Select[Any]]:
    """Pieces that a reference may mean, by name and by digits; those that are there before those that were.

    Two questions, for which there is an index each.
    """
    digits = reference.lower()
    meant: list[ColumnElement[bool]] = [PIECES.c.name == projection.text(reference)]
    if PREFIX <= len(digits) <= 64 and not digits.strip("0123456789abcdef"):
        meant.append(sa.and_(PIECES.c.sha256 >= digits, PIECES.c.sha256 < digits + "g"))
    return [
        sa.select(*OF_PIECE)
        .where(PIECES.c.case == case, condition)
        .order_by(PIECES.c.state != KEPT)
        .limit(limits.CATALOGUE_NAMED)
        for condition in meant
    ]


def entries(case: str, after: int, most: int) -> Select[Any]:
    """Rows of the log in order, with their numbers before the columns of `SignedEntry`."""
    chosen = sa.select(ENTRIES.c.number, *OF_ENTRY).where(ENTRIES.c.case == case, ENTRIES.c.number > after)
    return chosen.order_by(ENTRIES.c.number).limit(most)


def newest(case: str) -> Select[Any]:
    """The last row of the log."""
    chosen = sa.select(*OF_ENTRY).where(ENTRIES.c.case == case)
    return chosen.order_by(ENTRIES.c.number.desc()).limit(1)


OF_ENTRY = (
    # One byte more than an entry may have: what is longer has another hash than it says.
    sa.func.substr(ENTRIES.c.body, 1, limits.CUSTODY_ENTRY + 1, type_=sa.LargeBinary),
    ENTRIES.c.hash,
    ENTRIES.c.key_id,
    ENTRIES.c.signature,
)
"""Columns in the order of the fields of `SignedEntry`."""
