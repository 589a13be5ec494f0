"""Secrets that a program planted in every kind of place are found, each once, where the program put it."""

from __future__ import annotations

import re

import pytest

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.examine.search import Hit, literal, regex, search
from cryoscope.workflows.open import open_checkpoint
from lab.workloads import PLANTED
from taken import Take

IN_BOTH = ("stack", "heap", "shared", "page-border", "mapping-border", "wide", "memfd")
PLACES = {"shared": "shared", "memfd": "shared", "pipe": "pipe", "socket": "socket", "deleted-file": "ghost"}
KINDS = {"stack": "stack", "heap": "heap", "shared": "shared-anon", "memfd": "memfd"}
PATTERN = r"PLANTED-[a-z-]+-[0-9a-f]{16}"


def digits(name: str) -> str:
    """What the program makes of a name (lab/programs/planted.c)."""
    sum_ = 5381
    for byte in name.encode():
        sum_ = (sum_ * 33 + byte) % 2**64
    return f"{sum_ * 0x9E3779B97F4A7C15 % 2**64:016x}"


def secret(name: str) -> str:
    return f"PLANTED-{name}-{digits(name)}"


def told(log: str) -> dict[str, str]:
    return dict(re.findall(r"^fact (\S+) (\S+)$", log, re.MULTILINE))


def found(checkpoint: Checkpoint, name: str) -> Hit:
    """The one hit for a name."""
    result = search(checkpoint, literal(secret(name)))
    assert result.complete
    (hit,) = result.hits
    return hit


def test_each_is_found_once_where_it_was_put(engine_name: str, take: Take) -> None:
    taken = take(engine_name, PLANTED)
    facts = told(taken.log)
    assert len(facts) == 12
    with open_checkpoint(str(taken.path), stacks=True) as checkpoint:
        parent, child = (process.pid for process in checkpoint.processes)
        for name in IN_BOTH:
            hit = found(checkpoint, name)
            assert [owner.pid for owner in hit.processes] == [parent, child], name
            assert {owner.address for owner in hit.processes} == {int(facts[name], 16)}, name
            assert hit.place == PLACES.get(name, "memory")
            assert hit.encoding == ("utf-16le" if name == "wide" else "utf-8")
            assert hit.vma is not None
            assert hit.vma.start <= int(facts[name], 16) < hit.vma.end
            assert hit.vma.kind == KINDS.get(name, "anon"), name
        hit = found(checkpoint, "child")
        assert [(owner.pid, owner.address) for owner in hit.processes] == [(child, int(facts["child"], 16))]
        for name in ("pipe", "socket", "deleted-file"):
            hit = found(checkpoint, name)
            assert (hit.place, hit.processes) == (PLACES[name], [])
            assert {holder.pid for holder in hit.holders} == {parent, child}


def test_the_changed_file_is_found(engine_name: str, take: Take) -> None:
    taken = take(engine_name, PLANTED)
    if taken.path.is_dir():
        pytest.skip("there are no files beside the images of bare CRIU and Docker")
    with open_checkpoint(str(taken.path)) as checkpoint:
        hit = found(checkpoint, "changed-file")
        assert (hit.place, hit.path) == ("rootfs", "/data/planted-file")


def test_one_expression_finds_them_all_and_nothing_twice(engine_name: str, take: Take) -> None:
    taken = take(engine_name, PLANTED)
    with open_checkpoint(str(taken.path)) as checkpoint:
        hits = search(checkpoint, regex(PATTERN, name="planted")).hits
    not_there = {"wide", "changed-file"} if taken.path.is_dir() else {"wide"}
    assert sorted(hit.match for hit in hits) == sorted(secret(n) for n in {*told(taken.log)} - not_there)
