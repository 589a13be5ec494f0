"""`search`: patterns over everything a checkpoint holds, archive by archive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.keep import StackEnds
from cryoscope.errors import Damaged
from cryoscope.examine.search import Hit, Pattern, SearchResult, StreamScan, Where, search
from cryoscope.examine.search.hits import IN_PAGES
from cryoscope.text import readable
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, Asking, answer, each_until_stopped
from cryoscope.workflows.open import Progress, open_at

INCOMPLETE, FOUND = 5, 10


class SearchPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `search`: how often each pattern was found, and where; with `--count` not where.

    `notes` says what was not searched as asked; `complete` is false if the search was stopped.
    """

    counts: dict[str, int]
    hits: list[Hit] = []
    notes: list[str] = []
    complete: bool = True

    def rows(self) -> list[Any]:
        return list(self.hits) if self.hits else [Counts(counts=self.counts)]


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """The line of an archive without hits to show."""

    counts: dict[str, int]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What to search, where, and what to tell."""

    patterns: Sequence[Pattern]
    where: Where = Where()
    only_counts: bool = False
    exit_code: bool = False


def search_all(targets: Sequence[str], asked: Asked, asking: Asking) -> Answer:
    """The hits in each target; a search that is interrupted ends with exit code 5 and what was found."""

    def read(target: str) -> tuple[SearchPart, list[Damaged]]:
        return search_one(target, asked, asking)

    def skipped(target: str) -> SearchPart:
        return SearchPart(archive=readable(target), counts={}, complete=False)

    found = answer("search", *each_until_stopped(targets, read, skipped))
    return msgspec.structs.replace(found, exit_code=_code(found, asked))


def search_one(target: str, asked: Asked, asking: Asking) -> tuple[SearchPart, list[Damaged]]:
    """The hits in one target, and what of it was damaged."""
    progress: Progress | None = asking.progress(target)
    streams = any(asked.where.covers(place) for place in IN_PAGES)
    tap = StreamScan(asked.patterns) if streams else None
    damaged: list[Damaged] = []
    with open_at(
        target, cache=asking.cache, access=asking.access, keep=StackEnds(), progress=progress, tap=tap
    ) as archive:
        checkpoint = Checkpoint(archive)
        found = search(
            checkpoint, asked.patterns, where=asked.where, tap=tap, damaged=damaged, progress=progress
        )
        return _part(target, found, asked), list(dict.fromkeys([*checkpoint.damaged, *damaged]))


def _part(target: str, found: SearchResult, asked: Asked) -> SearchPart:
    return SearchPart(
        archive=readable(target),
        counts={readable(name): count for name, count in found.counts.items()},
        hits=[] if asked.only_counts else found.hits,
        notes=[readable(note) for note in found.notes],
        complete=found.complete,
    )


def _code(found: Answer, asked: Asked) -> int:
    parts = found.document.archives
    if any(not part.complete for part in parts):
        return INCOMPLETE
    if not found.exit_code and asked.exit_code and any(any(part.counts.values()) for part in parts):
        return FOUND
    return found.exit_code
