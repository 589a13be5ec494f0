"""A catalogue in a real PostgreSQL of the lab: the contract, and what is PostgreSQL's own."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from cryoscope.evidence.catalogue import open_catalogue
from cryoscope.evidence.catalogue.sql import SqlCatalogue
from lab.node import Node
from tests.evidence.catalogue_contract import CatalogueContract
from tests.evidence.catalogue_samples import add, code, execute, new, piece, sign, whole

pytestmark = pytest.mark.xdist_group("postgresql")

FOLDER = "/run/lab-postgresql"
NUMBERS = itertools.count(1)


class Server:
    """PostgreSQL in the node, on a unix socket that the outside can reach, too."""

    def __init__(self, node: Node, folder: str = FOLDER) -> None:
        self.node, self.folder = node, folder
        self.bin = node.sh("ls -d /usr/lib/postgresql/*/bin").split()[-1]
        node.sh(f"install -d -o postgres -m 0755 {self.folder}")
        self.run(f"initdb --no-sync --auth=trust --encoding=UTF8 -D {self.folder}/data")
        self.start()

    def run(self, command: str) -> str:
        """Run a program of PostgreSQL's, as its user."""
        return self.node.sh(f"cd {self.folder} && runuser -u postgres -- {self.bin}/{command}")

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses= -c max_connections=50"
        self.run(f'pg_ctl -D {self.folder}/data -l {self.folder}/log -w -o "{options}" start')

    def crash(self) -> None:
        """End all of its processes at once, as a machine that loses power does."""
        main = self.node.outside(f"{self.folder}/data/postmaster.pid").read_text().split()[0]
        group = self.node.sh(f"ps -o pid= --ppid {main}").split()
        self.node.sh(
            f"kill -9 {main} {' '.join(group)} || true; while kill -0 {main}; do sleep 0.02; done 2>&1"
        )
        self.node.sh(f"rm -f {self.folder}/.s.PGSQL*")

    def url(self, database: str, user: str = "postgres") -> str:
        return f"postgresql://{user}@/{database}?host={quote(str(self.node.outside(self.folder)), safe='')}"

    def sql(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="module")
def server(node: Node) -> Server:
    return Server(node)


@pytest.fixture
def database(server: Server) -> str:
    name = f"cryoscope_{next(NUMBERS)}"
    server.sql(f"CREATE DATABASE {name} TEMPLATE template0")
    return name


@pytest.fixture
def url(server: Server, database: str) -> str:
    return server.url(database)


@pytest.fixture
def catalogue(url: str) -> Iterator[SqlCatalogue]:
    opened = open_catalogue(url)
    yield opened
    opened.close()


class TestPostgresql(CatalogueContract):
    """All of it."""


def test_it_goes_on_after_its_server_lost_power_with_all_that_was_kept(
    server: Server, catalogue: SqlCatalogue
) -> None:
    new(catalogue)
    add(catalogue, *map(piece, range(20)))
    server.crash()
    assert code(lambda: catalogue.append("c", sign("note"))) == "evidence.catalogue-unreachable"
    server.start()
    catalogue.append("c", sign("note"))
    assert whole(catalogue, "c") == 22


def test_a_server_that_is_set_to_forget_is_told_not_to(server: Server, database: str, url: str) -> None:
    server.sql(f"ALTER DATABASE {database} SET synchronous_commit = off")
    catalogue = open_catalogue(url)
    with catalogue._database.writing() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
    server.sql(f"ALTER DATABASE {database} SET synchronous_commit = remote_apply")
    catalogue.close()
    with catalogue._database.writing() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "remote_apply"
    catalogue.close()


def test_one_whose_case_is_locked_for_long_says_so_and_other_cases_go_on(
    url: str, catalogue: SqlCatalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    new(catalogue)
    new(catalogue, "d")
    with psycopg.connect(url) as other:
        other.execute("SELECT * FROM evidence_cases WHERE name = 'c' FOR UPDATE")
        catalogue.append("d", sign("note"))
        execute(catalogue, f"ALTER DATABASE {other.info.dbname} SET lock_timeout = '1s'")
        monkeypatch.setattr("cryoscope.evidence.catalogue.postgresql.SETTINGS", ())
        catalogue.close()
        assert code(lambda: catalogue.append("c", sign("note"))) == "evidence.catalogue-busy"
        assert catalogue.head("c").number == 1
    catalogue.append("c", sign("note"))
    assert whole(catalogue, "c") == 2


def test_who_cannot_get_in_or_make_tables_learns_why_and_no_password_is_shown(
    server: Server, database: str, url: str
) -> None:
    server.sql("DROP ROLE IF EXISTS guest")
    server.sql("CREATE ROLE guest LOGIN")
    guest = server.url(database, "guest:hunter2")
    nowhere = quote(str(Path(os.devnull)), safe="")
    for wrong, expected in {
        guest: "evidence.catalogue-denied",
        server.url("no_such_database", "postgres:hunter2"): "evidence.catalogue-unreachable",
        f"postgresql://u:hunter2@/x?host={nowhere}": "evidence.catalogue-unreachable",
        "postgresql://u:hunter2@host:port/x?y=z": "settings.catalogue",
    }.items():
        with pytest.raises(Exception) as caught:
            open_catalogue(wrong)
        assert caught.value.code == expected, wrong  # type: ignore[attr-defined]
        assert "hunter2" not in str(caught.value) + str(caught.value.hint)  # type: ignore[attr-defined]
    opened = open_catalogue(server.url(database, "postgres:hunter2"))
    assert opened.url.endswith(f"/{database}")
    assert "hunter2" not in opened.url
    opened.close()


def test_times_and_names_compare_byte_by_byte_whatever_the_language(catalogue: SqlCatalogue) -> None:
    for name in ("b", "B", "a", "_", "ä"):
        new(catalogue, name)
    assert [case.name for case in catalogue.cases()] == ["B", "_", "a", "b", "ä"]
