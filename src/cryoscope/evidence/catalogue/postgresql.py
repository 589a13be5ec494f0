"""PostgreSQL, for several machines: a case's row is locked while an entry is appended to its log."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from cryoscope import needs
from cryoscope.errors import UsageError
from cryoscope.evidence.catalogue import trouble
from cryoscope.evidence.catalogue.alchemy import sa
from cryoscope.evidence.catalogue.database import Database
from cryoscope.text import escape

if TYPE_CHECKING:
    from sqlalchemy import Connection

WAIT = 60
"""Seconds that a transaction waits for a lock: each holds one for milliseconds."""
PATIENCE = 10
"""Seconds until a server that does not answer is unreachable, where the URL does not say otherwise."""
LOCK = 0x43525953
"""The advisory lock of those who change tables."""
DURABLE = """
SELECT set_config(name, 'on', false) FROM pg_settings WHERE name = 'synchronous_commit' AND setting = 'off'
"""
"""A server that is set to forget the last moments when it dies must not do so here."""
SETTINGS = (
    f"SET lock_timeout = '{WAIT}s'",
    "SET client_min_messages = 'warning'",
    DURABLE,
)
CODES = {
    "55P03": "busy",
    "40": "busy",
    "53100": "full",
    "XX001": "damaged",
    "XX002": "damaged",
    "25006": "unwritable",
    "42501": "denied",
    "28": "unreachable",
    "3D": "unreachable",
    "08": "unreachable",
    "53300": "unreachable",
    "57P": "unreachable",
}
"""By the start of an SQLSTATE (PostgreSQL's documentation, appendix A)."""


def connect(url: str) -> Database:
    """The database of a URL, which libpq reads; its tables are where the user's search_path begins."""
    psycopg = needs.module("psycopg")
    shown = _shown(url, psycopg)
    engine = sa.create_engine(
        "postgresql+psycopg://",
        creator=lambda: _connected(url, psycopg),
        pool_pre_ping=True,
        use_native_hstore=False,
    )
    return Database(shown, engine, functools.partial(trouble.told, shown, _code), _alone)


def _shown(url: str, psycopg: Any) -> str:
    """The URL without what must not be seen: only where, as whom and which."""
    try:
        said = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        raise UsageError(
            "libpq cannot read the catalogue's URL",  # not quoted: a password may stand anywhere in it
            hint="postgresql://USER@HOST/DATABASE; a password belongs into ~/.pgpass",
            code="settings.catalogue",
        ) from None
    where = ":".join(str(said[name]) for name in ("host", "port") if name in said)
    user = f"{said['user']}@" if "user" in said else ""
    return escape(f"postgresql://{user}{where}/{said.get('dbname', '')}")


def _connected(url: str, psycopg: Any) -> Any:
    """A new connection with the settings that it needs."""
    patience = (
        {} if "connect_timeout" in psycopg.conninfo.conninfo_to_dict(url) else {"connect_timeout": PATIENCE}
    )
    connection = psycopg.connect(url, application_name="cryoscope", autocommit=True, **patience)
    try:
        for setting in SETTINGS:
            connection.execute(setting)
        connection.autocommit = False
    except BaseException:
        connection.close()
        raise
    return connection


def _alone(connection: Connection) -> None:
    """Wait until nobody else changes tables; ends with the transaction."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))


def _code(error: BaseException) -> str:
    """The kind of an error; one without an SQLSTATE is of the connection."""
    state = getattr(error, "sqlstate", None) or "08"
    return next((kind for start, kind in CODES.items() if state.startswith(start)), "failed")
