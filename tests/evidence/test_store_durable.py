"""What a power cut would leave: the order in which an `add` and a `prune` have the disk keep things.

A kill does not show it, for the kernel keeps what a process has written.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from custody_store import CASE, Kept, archive

from cryoscope.evidence.blobs import folder
from cryoscope.evidence.catalogue.sql import SqlCatalogue

Step = tuple[str, str]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """What was asked of the disk, in order; everything is really done."""
    found: list[Step] = []

    def seen(thing: Any, name: str, path: Callable[..., object]) -> None:
        real = getattr(thing, name)

        def called(*arguments: Any, **options: Any) -> Any:
            found.append((name, os.path.basename(str(path(*arguments)))))
            return real(*arguments, **options)

        monkeypatch.setattr(thing, name, called)

    seen(os, "fsync", lambda file: os.readlink(f"/proc/self/fd/{file}"))
    seen(folder, "link", lambda _old, new: new)
    seen(os, "unlink", lambda path: path)
    seen(SqlCatalogue, "append", lambda *_: "entry")
    return found


def test_a_blob_is_on_the_disk_before_it_has_its_name_and_both_before_the_entry(
    tmp_path: Path, steps: list[Step]
) -> None:
    kept = Kept(tmp_path)
    path = archive(tmp_path / "a.tar", pages=1 << 20)
    steps.clear()
    piece = kept.add(path)
    names = [os.path.basename(piece.stored.key), f"{piece.manifest}.dsse.json"]
    links = [at for at, step in enumerate(steps) if step[0] == "link"]
    assert [steps[at][1] for at in links] == names
    for at, place in zip(links, (CASE, "manifests"), strict=True):
        before = max(i for i in range(at) if steps[i][0] == "fsync" and steps[i][1].endswith(".part"))
        assert all(step[0] != "link" for step in steps[before:at])
        behind = next(i for i in range(at, len(steps)) if steps[i] == ("fsync", place))
        assert behind < steps.index(("append", "entry"))


def test_a_prune_is_in_the_log_before_the_bytes_go_and_they_are_gone_before_it_says_so(
    tmp_path: Path, steps: list[Step]
) -> None:
    kept = Kept(tmp_path)
    piece = kept.add(archive(tmp_path / "a.tar", pages=1 << 20))
    steps.clear()
    with kept.store() as store:
        store.prune(piece, "too old")
    name = os.path.basename(piece.stored.key)
    told = [step for step in steps if step in (("append", "entry"), ("unlink", name), ("fsync", CASE))]
    assert told == [("append", "entry"), ("unlink", name), ("fsync", CASE), ("append", "entry")]
