"""A store with SQLite stands kills and company."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evidence.store_contract import Place, StoreContract


class TestSqlite(StoreContract):
    """All of it."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        return Place(tmp_path)
