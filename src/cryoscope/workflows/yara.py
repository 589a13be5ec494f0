"""`yara`: rules over everything a checkpoint holds, archive by archive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cryoscope.errors import Damaged
from cryoscope.examine.yara import Options, RuleSet, YaraHit, scan
from cryoscope.text import readable
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import OK, Answer, Asking, answer, each
from cryoscope.workflows.open import open_checkpoint

FOUND = 10


class YaraPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `yara`: the rules that matched, each where it did; `rules` is how many were asked."""

    rules: int
    hits: list[YaraHit]
    notes: list[str] = []

    def rows(self) -> list[Any]:
        return list(self.hits)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The rules, and how to scan."""

    rules: RuleSet
    options: Options = Options()
    exit_code: bool = False


def scan_all(targets: Sequence[str], asked: Asked, asking: Asking) -> Answer:
    """The rules that match in each target; with `exit_code` the code is 10 if any does."""

    def read(target: str) -> tuple[YaraPart, list[Damaged]]:
        progress = asking.progress(target)
        damaged: list[Damaged] = []
        with open_checkpoint(
            target, cache=asking.cache, access=asking.access, progress=progress
        ) as checkpoint:
            found = scan(checkpoint, asked.rules, asked.options, damaged=damaged, progress=progress)
            part = YaraPart(
                archive=readable(target), rules=asked.rules.count, hits=found.hits, notes=found.notes
            )
            return part, list(dict.fromkeys([*checkpoint.damaged, *damaged]))

    found = answer("yara", *each(targets, read))
    hits = any(part.hits for part in found.document.archives)
    if asked.exit_code and hits and found.exit_code == OK:
        return msgspec.structs.replace(found, exit_code=FOUND)
    return found
