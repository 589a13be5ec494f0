"""The first tables.

A migration is never changed: it names columns itself and does not look at `tables`.
"""

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
SERIAL = sa.BigInteger().with_variant(sa.Integer, "sqlite")
NEEDED = ["case", "sha256", "name", "format", "added", "operator", "state", "manifest", "stored"]
OPTIONAL = ["captured", "engine", "container", "container_id", "pod", "namespace", "node", "image"]


def upgrade() -> None:
    """Cases, pieces, the log."""
    _cases()
    _pieces()
    op.create_table(
        "evidence_entries",
        sa.Column("case", TEXT, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        *(sa.Column(name, TEXT, nullable=False) for name in ("hash", "key_id", "signature")),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )


def _cases() -> None:
    op.create_table(
        "evidence_cases",
        sa.Column("name", TEXT, primary_key=True),
        *(sa.Column(name, TEXT, nullable=False) for name in ("created", "operator", "description")),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("pieces", "size", "head")),
        sa.Column("hold", sa.Boolean, nullable=False),
    )


def _pieces() -> None:
    op.create_table(
        "evidence_pieces",
        sa.Column("id", SERIAL, primary_key=True, autoincrement=True),
        *(sa.Column(name, TEXT, nullable=False) for name in NEEDED),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("size", "holds")),
        *(sa.Column(name, TEXT, nullable=True) for name in OPTIONAL),
        sa.UniqueConstraint("case", "sha256", name="evidence_pieces_once"),
    )
    for name, columns in (
        ("case", ["case", "added"]),
        ("name", ["case", "name"]),
        ("time", ["added"]),
        ("digest", ["sha256"]),
        ("container", ["container", "added"]),
        ("pod", ["pod", "added"]),
        ("namespace", ["namespace", "added"]),
    ):
        op.create_index(f"evidence_pieces_by_{name}", "evidence_pieces", columns)
