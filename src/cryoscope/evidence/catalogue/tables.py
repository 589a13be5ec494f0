"""The tables, as the newest migration leaves them.

Rows of cases and pieces have the fields of `Case` and `Piece`; `stored` is JSON.  Texts compare byte by byte
in both databases.  `evidence_entries` is the log and has nothing that is not in `SignedEntry`.
"""

from __future__ import annotations

from cryoscope.evidence.catalogue.alchemy import sa
from cryoscope.evidence.records import Case, Piece

REVISIONS = ("r0001",)
"""Migrations in order, oldest first; the last is what this release works with."""

VERSION = "evidence_version"
"""Alembic's table, named so that other programs' migrations may live in one database."""

METADATA = sa.MetaData()


def texts() -> sa.types.TypeEngine[str]:
    """A column of text whose order is that of its bytes."""
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, texts(), nullable=null)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


CASES = sa.Table(
    "evidence_cases",
    METADATA,
    sa.Column("name", texts(), primary_key=True),
    _text("created"),
    _text("operator"),
    _text("description"),
    _number("pieces"),
    _number("size"),
    _number("head"),
    sa.Column("hold", sa.Boolean, nullable=False),
)

PIECES = sa.Table(
    "evidence_pieces",
    METADATA,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    _text("case"),
    _text("sha256"),
    _text("name"),
    _number("size"),
    _text("format"),
    _text("added"),
    _text("operator"),
    _text("state"),
    _number("holds"),
    _text("captured", null=True),
    _text("engine", null=True),
    _text("container", null=True),
    _text("container_id", null=True),
    _text("pod", null=True),
    _text("namespace", null=True),
    _text("node", null=True),
    _text("image", null=True),
    _text("manifest"),
    _text("stored"),
    sa.UniqueConstraint("case", "sha256", name="evidence_pieces_once"),
)

ENTRIES = sa.Table(
    "evidence_entries",
    METADATA,
    sa.Column("case", texts(), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    _text("hash"),
    _text("key_id"),
    _text("signature"),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

INDEXES = (
    sa.Index("evidence_pieces_by_case", PIECES.c.case, PIECES.c.added),
    sa.Index("evidence_pieces_by_name", PIECES.c.case, PIECES.c.name),
    sa.Index("evidence_pieces_by_time", PIECES.c.added),
    sa.Index("evidence_pieces_by_digest", PIECES.c.sha256),
    sa.Index("evidence_pieces_by_container", PIECES.c.container, PIECES.c.added),
    sa.Index("evidence_pieces_by_pod", PIECES.c.pod, PIECES.c.added),
    sa.Index("evidence_pieces_by_namespace", PIECES.c.namespace, PIECES.c.added),
)

OF_CASE = [CASES.c[name] for name in Case.__struct_fields__]
OF_PIECE = [PIECES.c[name] for name in Piece.__struct_fields__]
"""Columns in the order of the records' fields."""
