"""The tables of a database, brought to what this release works with.

The migrations are alembic's, in `migrations/`; it is imported only where there is something to change.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cryoscope import needs
from cryoscope.evidence.catalogue.alchemy import sa
from cryoscope.evidence.catalogue.database import Database
from cryoscope.evidence.catalogue.tables import REVISIONS, VERSION
from cryoscope.evidence.ports import EvidenceError
from cryoscope.text import escape

if TYPE_CHECKING:
    from sqlalchemy import Connection

MIGRATIONS = os.path.join(os.path.dirname(__file__), "migrations")


def ready(database: Database) -> None:
    """Make or change the tables if need be, in one transaction and one process at a time.

    Raises `EvidenceError` `evidence.catalogue-newer` where a later release has changed them.
    """
    with database.reading() as connection:
        if _current(database, connection):
            return
    with database.writing() as connection:
        database.alone(connection)
        if not _current(database, connection):
            _migrate(connection)


def version(connection: Connection) -> str | None:
    """The last migration that was made; None in an empty database."""
    if not sa.inspect(connection).has_table(VERSION):
        return None
    found = connection.execute(sa.text(f"SELECT version_num FROM {VERSION}")).scalars().all()  # noqa: S608
    return str(found[0]) if found else None


def _current(database: Database, connection: Connection) -> bool:
    found = version(connection)
    if found is not None and found not in REVISIONS:
        raise EvidenceError(
            f"the catalogue {database.url} was made by a later release ({escape(found[:40])})",
            hint="use that release of cryoscope, or a later one",
            code="evidence.catalogue-newer",
        )
    return found == REVISIONS[-1]


def _migrate(connection: Connection) -> None:
    """All migrations that are missing, inside the transaction of `connection`."""
    config = needs.module("alembic.config").Config()
    config.set_main_option("script_location", MIGRATIONS.replace("%", "%%"))
    config.attributes["connection"] = connection
    needs.module("alembic.command").upgrade(config, "head")
