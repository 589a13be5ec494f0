"""A catalogue in SQLite: the contract, and what is SQLite's own."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from cryoscope.evidence.catalogue import open_catalogue, queries
from cryoscope.evidence.ports import Filter
from tests.evidence.catalogue_contract import CatalogueContract
from tests.evidence.catalogue_samples import add, code, new, piece, sign, whole


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store/catalogue.db"


class TestSqlite(CatalogueContract):
    """All of it."""


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def test_nobody_else_may_read_its_files(url: str) -> None:
    mask = os.umask(0)
    try:
        catalogue = open_catalogue(url)
        new(catalogue)
        folder = path_of(url).parent
        modes = {found.name: stat.S_IMODE(found.stat().st_mode) for found in folder.iterdir()}
        assert modes == dict.fromkeys(("catalogue.db", "catalogue.db-wal", "catalogue.db-shm"), 0o600)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        catalogue.close()
    finally:
        os.umask(mask)


def test_it_writes_ahead_and_waits_for_the_disk(url: str) -> None:
    catalogue = open_catalogue(url)
    with catalogue._database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
    catalogue.close()


def test_a_path_may_have_any_letter(tmp_path: Path) -> None:
    catalogue = open_catalogue(f"sqlite:///{tmp_path}/50% off? #1 & ü.db")
    new(catalogue)
    assert whole(catalogue, "c") == 1
    assert (tmp_path / "50% off? #1 & ü.db").exists()
    catalogue.close()


def test_what_is_no_database_is_an_error_with_a_cure(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.db"
    wrong.write_bytes(b"no database " * 1000)
    assert code(lambda: open_catalogue(f"sqlite:///{wrong}")) == "evidence.catalogue-damaged"
    assert code(lambda: open_catalogue(f"sqlite:///{wrong}/x.db")) == "evidence.catalogue-unwritable"
    assert code(lambda: open_catalogue(f"sqlite:///{tmp_path}")) == "evidence.catalogue-unreachable"
    assert code(lambda: open_catalogue("mysql://root:secret@host/x")) == "settings.catalogue"


def test_a_page_of_the_file_that_was_overwritten_is_an_error_with_a_cure(url: str) -> None:
    catalogue = open_catalogue(url)
    new(catalogue)
    add(catalogue, *map(piece, range(50)))
    catalogue.close()
    damaged = bytearray(path_of(url).read_bytes())
    for start in range(4096, len(damaged), 4096):
        damaged[start : start + 8] = b"\xff" * 8
    path_of(url).write_bytes(damaged)
    assert code(lambda: open_catalogue(url).pieces(Filter())) == "evidence.catalogue-damaged"


def test_one_that_is_locked_for_long_says_so(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cryoscope.evidence.catalogue.sqlite.WAIT", 0.05)
    catalogue = open_catalogue(url)
    new(catalogue)
    other = sqlite3.connect(path_of(url), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert code(lambda: catalogue.append("c", sign("note"))) == "evidence.catalogue-busy"
    assert catalogue.head("c").number == 1  # readers wait for nobody
    other.execute("ROLLBACK")
    other.close()
    catalogue.append("c", sign("note"))
    catalogue.close()


def test_a_full_disk_leaves_the_log_as_it_was(url: str) -> None:
    catalogue = open_catalogue(url)
    new(catalogue)
    with catalogue._database.reading() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    note = sign("note", details={"text": "x" * 500_000})
    assert code(lambda: catalogue.append("c", note)) == "evidence.catalogue-full"
    assert whole(catalogue, "c") == 1
    catalogue.close()


INDEXED = {"digits": "(case=? AND sha256>? AND sha256<?)", "name": "(case=? AND name=?)"}
"""Where the planner has a choice: the index that it must take."""


def test_what_is_asked_often_reads_no_table_from_end_to_end(url: str) -> None:
    catalogue = open_catalogue(url)
    asked = {
        "append": queries.case("c", lock=True),
        "head": queries.newest("c"),
        "log": queries.entries("c", 5, 100),
        "name": queries.named("c", "abcdef")[0],
        "digits": queries.named("c", "abcdef")[1],
        "case": queries.pieces(Filter(case="c", limit=10)),
        "newest": queries.pieces(Filter(limit=10)),
        "container": queries.pieces(Filter(container="web", limit=10)),
        "pod": queries.pieces(Filter(pod="web", limit=10)),
        "namespace": queries.pieces(Filter(namespace="shop", limit=10)),
        "digest": queries.pieces(Filter(sha256="0" * 64)),
    }
    with catalogue._database.reading() as connection:
        for name, query in asked.items():
            text = query.compile(connection, compile_kwargs={"literal_binds": True})
            plan = [row[3] for row in connection.execute(sa.text(f"EXPLAIN QUERY PLAN {text}"))]
            assert plan
            assert not [step for step in plan if step.startswith("SCAN") and "USING" not in step], (
                name,
                plan,
            )
    catalogue.close()


def test_opening_one_that_is_there_imports_no_migrations(url: str) -> None:
    open_catalogue(url).close()
    program = (
        "import sys; from cryoscope.evidence.catalogue import open_catalogue, projection\n"
        "assert 'sqlalchemy' not in sys.modules\n"
        f"open_catalogue({url!r}).cases()\n"
        "assert 'alembic' not in sys.modules and 'psycopg' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
