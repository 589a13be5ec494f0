"""One database: its connections and its transactions, whose errors are for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cryoscope.evidence.catalogue.trouble import Told

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

WRITES = {"cryoscope_writes": True}
"""Execution options of a transaction that writes: SQLite's has to say so when it begins."""


class Database:
    """`engine` with the URL that may be shown; `alone` lets one process at a time change the tables."""

    def __init__(
        self, url: str, engine: Engine, told: Told, alone: Callable[[Connection], None] = lambda _: None
    ) -> None:
        self.url = url
        self.alone = alone
        self._engine = engine
        self._told = told

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one moment."""
        with self._told(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is durable when it ends, and never was if an error ends it."""
        with self._told(), self._engine.connect() as plain:
            connection = plain.execution_options(**WRITES)
            with connection.begin():
                yield connection

    def close(self) -> None:
        self._engine.dispose()
