"""SQLite: one file with its log beside it (WAL), for the processes of one machine.

A transaction that writes takes the lock when it begins, so that what it has read stays true; one that
reads waits for nobody.  Durable at commit: `synchronous=FULL` (sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import errno
import functools
import os
import sqlite3
import time
from typing import TYPE_CHECKING, Any

from cryoscope.evidence.catalogue import trouble
from cryoscope.evidence.catalogue.alchemy import sa
from cryoscope.evidence.catalogue.database import WRITES, Database
from cryoscope.evidence.ports import EvidenceError
from cryoscope.text import escape

if TYPE_CHECKING:
    from sqlalchemy import Connection

WAIT = 60.0
"""Seconds that a transaction waits for another to end: each holds the lock for milliseconds."""
PRAGMAS = ("synchronous=FULL", "trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0")
CODES = {
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
    sqlite3.SQLITE_READONLY: "unwritable",
    sqlite3.SQLITE_PERM: "unwritable",
    sqlite3.SQLITE_CANTOPEN: "unreachable",
}
"""Result codes (sqlite.org/rescode.html) without their upper bytes."""


def connect(url: str) -> Database:
    """The database in a file, made if it is not there (0600, its folders 0700)."""
    path = url.removeprefix("sqlite:///")
    shown = escape(f"sqlite:///{path}")
    try:
        _create(path)
    except OSError as error:
        raise EvidenceError(
            f"the catalogue {shown} cannot be made: {error.strerror}",
            hint=trouble.CURES["unwritable"],
            code="evidence.catalogue-unwritable",
        ) from None
    place = sa.URL.create("sqlite", database=path)
    engine = sa.create_engine(place, connect_args={"timeout": WAIT})
    sa.event.listen(engine, "connect", _connected)
    sa.event.listen(engine, "begin", _begin)
    return Database(shown, engine, functools.partial(trouble.told, shown, _code))


def _create(path: str) -> None:
    """An empty file that nobody else may read; SQLite gives its companions the same rights."""
    folder = os.path.dirname(os.path.abspath(path))
    os.makedirs(folder, mode=0o700, exist_ok=True)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        if os.path.islink(path):
            raise OSError(errno.EINVAL, "it is a link") from None
        return  # opening and closing it here would take away SQLite's locks of this process (fcntl(2))
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _connected(connection: sqlite3.Connection, _record: Any) -> None:
    """Settings of a new connection; where it is not in WAL mode yet, it is put there."""
    connection.isolation_level = None  # transactions begin where `_begin` says so
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    _write_ahead(connection)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """SQLite does not wait for a lock when it changes this mode, so this waits."""
    until = time.monotonic() + WAIT
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if _code(error) != "busy" or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(next(iter(WRITES)))
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _code(error: BaseException) -> str:
    return CODES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "failed")
