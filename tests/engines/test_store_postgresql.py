"""A store with its catalogue in a real PostgreSQL of the lab stands kills and company."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from lab.node import Node
from tests.engines.test_catalogue_postgresql import Server
from tests.evidence.store_contract import Place, StoreContract

pytestmark = pytest.mark.xdist_group("postgresql")

NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def server(node: Node) -> Server:
    return Server(node, "/run/lab-postgresql-store")


class TestPostgresql(StoreContract):
    """All of it."""

    @pytest.fixture
    def place(self, server: Server, tmp_path: Path) -> Place:
        name = f"store_{next(NUMBERS)}"
        server.sql(f"CREATE DATABASE {name} TEMPLATE template0")
        return Place(tmp_path, server.url(name))
