"""Fixtures of the tests that hold a whole checkpoint against what is known of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from truth_samples import SHIPPED, Truth, read_truth

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.workflows.open import open_checkpoint

Load = Callable[[str], Checkpoint]


@pytest.fixture(scope="session")
def corpus_or_none(request: pytest.FixtureRequest) -> Path | None:
    try:
        return Path(request.getfixturevalue("corpus"))
    except pytest.skip.Exception:
        return None


@pytest.fixture(scope="session")
def beside(data: Path, corpus_or_none: Path | None) -> Callable[[str], Path]:
    """A file of the corpus by its name there, or its copy in tests/data; skips where neither is."""

    def find(name: str) -> Path:
        shipped = data / SHIPPED[name] if name in SHIPPED else None
        if shipped is not None and shipped.exists():
            return shipped
        if corpus_or_none is None:
            pytest.skip(f"{name} is in the corpus only")
        return corpus_or_none / name

    return find


@pytest.fixture(scope="session")
def load(beside: Callable[[str], Path]) -> Iterator[Load]:
    """Opens a checkpoint of the corpus, once a run, as `ps` and `inspect` open it."""
    found: dict[str, Checkpoint] = {}
    with ExitStack() as stack:

        def opened(name: str) -> Checkpoint:
            if name not in found:
                found[name] = stack.enter_context(open_checkpoint(str(beside(name)), stacks=True))
            return found[name]

        yield opened


@pytest.fixture(scope="session")
def truth(beside: Callable[[str], Path]) -> Callable[[str], Truth]:
    """The parsed truth.txt of a folder of the corpus."""
    found: dict[str, Truth] = {}

    def read(folder: str) -> Truth:
        if folder not in found:
            found[folder] = read_truth(beside(f"{folder}/truth.txt").read_text())
        return found[folder]

    return read


@pytest.fixture
def sink(load: Load) -> Checkpoint:
    """One of every kernel object that CRIU can dump."""
    return load("podman-kitchen-sink/checkpoint.tar.zst")
