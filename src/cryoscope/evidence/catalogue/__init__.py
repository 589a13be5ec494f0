"""The catalogue: the custody logs of all cases, and the rows that they amount to, in a database.

    entry -> signed -> log (evidence_entries)
                    -> projection -> evidence_cases, evidence_pieces

The log is the truth.  `projection` is the one rule of what an entry does to a case, used inside the
transaction that appends it and by whoever replays a log to hold a catalogue against it.  SQLite and
PostgreSQL differ in how they are connected to and locked; the rest is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryoscope.errors import UsageError

if TYPE_CHECKING:
    from cryoscope.evidence.catalogue.sql import SqlCatalogue

SCHEMES = {
    "sqlite:///": "sqlite",
    "postgresql://": "postgresql",
    "postgres://": "postgresql",
}
"""By the start of a URL: the module of this package that connects."""


def open_catalogue(url: str) -> SqlCatalogue:
    """A catalogue, made or brought up to date if need be.

    `url` is `sqlite:///PATH` (all behind the three slashes is the path) or what libpq takes as
    `postgresql://...`.  Raises `UsageError` `settings.catalogue` for another, `EvidenceError`
    (`evidence.catalogue-...`) where it cannot be used, `LibraryMissing` without the extra.
    """
    kind = next((SCHEMES[start] for start in SCHEMES if url.startswith(start)), None)
    if kind is None:
        scheme = url.partition(":")[0]
        raise UsageError(
            f"a catalogue is sqlite:///PATH or postgresql://..., not {scheme}:",
            hint="set [store] catalogue to one of these, or leave it empty",
            code="settings.catalogue",
        )
    from cryoscope.evidence.catalogue import schema, sql

    if kind == "sqlite":
        from cryoscope.evidence.catalogue import sqlite as home
    else:
        from cryoscope.evidence.catalogue import postgresql as home  # type: ignore[no-redef]
    database = home.connect(url)
    try:
        schema.ready(database)
    except BaseException:
        database.close()
        raise
    return sql.SqlCatalogue(database)
