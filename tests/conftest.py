"""What all tests share: the archives in tests/data, the larger corpus where it is, the command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from lab import places

pytest_plugins = ["lab_report", "second_look"]

# Machines are noisy: an example that takes long once is no failure.
settings.register_profile("cryoscope", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cryoscope")

# A shell that runs the tests in the background has them ignore interrupts, which some of them send.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests have a cache of their own each; the lab is that of the user.
os.environ.setdefault("CRYOSCOPE_LAB_HOME", str(places.home()))

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data"


@pytest.fixture(scope="session")
def data() -> Path:
    """The archives that the repository ships; tests/data/README.md says what is in them."""
    return DATA


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The larger corpus: $CRYOSCOPE_CORPUS, or ../shared/corpus beside the repository."""
    folder = Path(os.environ.get("CRYOSCOPE_CORPUS") or ROOT.parent / "shared" / "corpus")
    if not folder.is_dir():
        pytest.skip("the corpus is not here: set CRYOSCOPE_CORPUS")
    return folder


@pytest.fixture(autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for every test."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def cryoscope() -> Run:
    """Runs the real command in a process of its own, with a time limit."""

    def run(
        *arguments: str | Path, stdin: bytes | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "cryoscope", *map(str, arguments)],
            input=stdin if stdin is not None else b"",
            capture_output=True,
            timeout=timeout,
            check=False,
        )

    return run
