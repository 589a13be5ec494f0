"""Fixtures of the archive room's tests."""

from __future__ import annotations

import pytest
from archive_samples import PACKERS, Samples


@pytest.fixture(scope="session")
def samples() -> Samples:
    return Samples()


@pytest.fixture(params=sorted(PACKERS))
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)
