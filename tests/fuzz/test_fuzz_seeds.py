"""The fuzz target over its seeds, and over damaged ones, without the fuzzer."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from target import MEMBERS, PACKED, TAR, one_input, seeds

SEEDS = list(seeds())


def test_the_seeds_are_of_every_kind() -> None:
    kinds = {seed[0] for seed in SEEDS}
    assert {TAR, PACKED, MEMBERS} < kinds
    assert len(kinds) > 20


def test_no_seed_crashes() -> None:
    for seed in SEEDS:
        one_input(seed)


@pytest.mark.parametrize("round_", range(4))
def test_no_damaged_seed_crashes(round_: int) -> None:
    rng = random.Random(round_)
    for seed in rng.sample(SEEDS, min(100, len(SEEDS))):
        data = bytearray(seed)
        for _ in range(rng.choice([1, 3])):
            data[rng.randrange(len(data))] = rng.randrange(256)
        one_input(bytes(data[: rng.randrange(1, len(data) + 1)] if rng.random() < 0.3 else data))


def test_whatever_was_found_before_stays_fixed() -> None:
    for path in sorted((Path(__file__).parent / "found").glob("*")):
        one_input(path.read_bytes())


@pytest.mark.long
def test_the_fuzzer_runs() -> None:
    pytest.importorskip("atheris")
    target = Path(__file__).parent / "target.py"
    done = subprocess.run(
        [sys.executable, target, "10"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "executions" in done.stdout
