"""Secrets, indicators and shell histories of damaged archives: an error or named damage, never another."""

from __future__ import annotations

from pathlib import Path

import pytest

from cryoscope.checkpoint.archive import BytesSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.keep import StackEnds
from cryoscope.errors import CryoscopeError
from cryoscope.examine.indicators import find_indicators
from cryoscope.examine.search import StreamScan
from cryoscope.examine.secrets import find_secrets, secret_scan
from cryoscope.report import secrets as report
from cryoscope.workflows.documents import encode
from cryoscope.workflows.indicators import IndicatorsPart
from cryoscope.workflows.secrets import SecretsPart
from cryoscope.workflows.shell_history import HistoryPart, shell_history
from test_mutations import deadline, mutated, names, original

SECONDS, FEW, MANY, CHUNKS = 30, 6, 240, 4
ENGINE = secret_scan().engine


def ask(data: bytes) -> None:
    """All three questions in all forms."""
    tap = StreamScan((), engine=ENGINE)
    damaged = []
    try:
        with open_archive(BytesSource(data, "a.tar"), keep=StackEnds(), tap=tap) as archive:
            checkpoint = Checkpoint(archive)
            found = find_secrets(checkpoint, tap=tap, damaged=damaged)
            secrets = SecretsPart(archive="a.tar", findings=found.findings, notes=found.notes)
            seen = find_indicators(checkpoint)
            indicators = IndicatorsPart(archive="a.tar", indicators=seen.indicators, notes=seen.notes)
            history = HistoryPart(archive="a.tar", commands=shell_history(checkpoint).commands)
    except CryoscopeError:
        return
    encode([secrets, indicators, history])
    for draw, part in ((report.secrets, secrets), (report.indicators, indicators), (report.history, history)):
        draw(part, 80)


def survive(name: str, seeds: range) -> None:
    data = original(name)
    for seed in seeds:
        try:
            with deadline(SECONDS):
                ask(mutated(data, seed))
        except Exception as error:
            error.add_note(f"mutated(original({name!r}), {seed})")
            raise


def ids(name: str) -> str:
    return "-".join(Path(name).parts[-2:])


@pytest.mark.parametrize("name", names(), ids=ids)
def test_damage_is_survived(name: str) -> None:
    survive(name, range(FEW))


@pytest.mark.long
@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("name", names(), ids=ids)
def test_many_times(name: str, chunk: int) -> None:
    size = MANY // CHUNKS
    survive(name, range(chunk * size, (chunk + 1) * size))
