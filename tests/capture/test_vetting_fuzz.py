"""Hostile and damaged archives: a verdict or an error with a code, never another exception, never a hang."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest

from cryoscope.checkpoint.archive import BytesSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.engines.vetting import Policy, clean_copy, vet
from cryoscope.errors import CryoscopeError
from cryoscope.text import UNSAFE
from hostile_archives import archives
from test_mutations import DATA, deadline, mutated, names, original

SECONDS, MOST = 20, 64 << 20
SMALL = [name for name in names() if Path(name).parent == DATA and "kitchen" not in name]
FEW, ALL = 12, 400


class Bounded(io.BytesIO):
    """A file that takes no more than a few times what the archives have."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        assert self.tell() + len(data) < MOST
        return super().write(data)


def survive(data: bytes, engine: str, *, live: bool = False) -> None:
    """Vet it and, whatever the verdict, write the copy."""
    with contextlib.suppress(CryoscopeError), deadline(SECONDS), of(data) as checkpoint:
        verdict = vet(checkpoint, Policy(engine=engine, live=live))
        said = "".join(f"{claim.what}{claim.where}{claim.cure}" for claim in verdict.claims)
        assert UNSAFE.search(said) is None, said
        clean_copy(checkpoint.archive, verdict.edits, Bounded())


def of(data: bytes) -> Checkpoint:
    return Checkpoint(open_archive(BytesSource(data, "hostile")))


@pytest.mark.parametrize(
    "engine", ["podman", "cri", *(pytest.param(name, marks=pytest.mark.long) for name in ("docker", "criu"))]
)
def test_every_hostile_archive_ends_in_a_verdict_or_an_error(engine: str) -> None:
    for name, make in archives(DATA / "podman-looper-crun.tar"):
        try:
            survive(make(), engine, live=engine == "cri")
        except Exception as error:
            error.add_note(name)
            raise


def damaged(name: str, seeds: range) -> None:
    data = original(name)
    for seed in seeds:
        engine = ("podman", "cri", "docker", "criu")[seed % 4]
        try:
            survive(mutated(data, seed), engine, live=seed % 3 == 0)
        except Exception as error:
            error.add_note(f"mutated(original({name!r}), {seed})")
            raise


@pytest.mark.parametrize("name", SMALL, ids=lambda name: Path(name).name)
def test_damage_ends_in_a_verdict_or_an_error(name: str) -> None:
    damaged(name, range(FEW))


@pytest.mark.long
@pytest.mark.parametrize("name", SMALL, ids=lambda name: Path(name).name)
def test_four_hundred_times(name: str) -> None:
    damaged(name, range(FEW, FEW + ALL))
