"""`diff`: what is different between two checkpoints, or from each to the next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from cryoscope.checkpoint.archive import Tap
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.keep import StackEnds
from cryoscope.errors import CryoscopeError, UsageError
from cryoscope.examine.diff import MEMORY, NAMES, Wanted, compare
from cryoscope.examine.diff.changed import Asked as Dump
from cryoscope.examine.diff.hashing import PageHashes
from cryoscope.examine.diff.records import (
    ChangedBytes,
    Diff,
    Difference,
    Matched,
    MemoryDifference,
    Value,
)
from cryoscope.examine.search.hits import Hit
from cryoscope.examine.search.tapped import StreamScan
from cryoscope.text import readable
from cryoscope.workflows.documents import DamagedIn, Part, damage
from cryoscope.workflows.examine import Answer, Asking, Failure, answer
from cryoscope.workflows.masking import Masker, tells
from cryoscope.workflows.open import STANDARD_INPUT, open_at

DIFFERENT = 10

SHOWN = 4096
"""Bytes from an address without an end whose differences are dumped."""


class Compared(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a side is: enough to tell two checkpoints apart."""

    archive: str
    engine: str
    id: str | None = None
    name: str | None = None
    checkpointed: str | None = None
    processes: int = 0


class DiffPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One comparison: `archive` is the later side, `before` the earlier one.

    `different` is false where nothing is known to have changed; the other fields are those of `Diff`.
    """

    before: Compared
    after: Compared
    different: bool
    matched: list[Matched]
    summary: dict[str, dict[str, int]]
    differences: list[Difference]
    memory: MemoryDifference | None = None
    bytes: list[ChangedBytes] = []
    hits: list[Hit] = []
    notes: list[str] = []

    def rows(self) -> list[Any]:
        memory = self.memory
        pages = [*memory.processes, *memory.objects] if memory is not None else []
        return [*self.differences, *pages, *self.bytes, *self.hits]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What to compare, with which, and what to tell."""

    wanted: Wanted = Wanted()
    against_first: bool = False
    exit_code: bool = False


OF_PROCESSES = ("processes", "environment", "descriptors", "rights", "mappings", MEMORY)
"""Aspects that are about one process each; the others are about the container."""


def aspects(names: Sequence[str], *, of_processes: bool = False) -> Sequence[str]:
    """The aspects of these names; for none, all of them or those about processes."""
    asked = names or (OF_PROCESSES if of_processes else NAMES)
    return tuple(name for name in NAMES if name in asked)


def diff_all(targets: Sequence[str], asked: Asked, asking: Asking) -> Answer:
    """Each target compared with the one before it, or with the first.

    One that cannot be opened stands in the failures, and its neighbours are compared.  Raises `UsageError`
    for fewer than two targets, and for standard input where it would have to be read twice.
    """
    if len(targets) < 2:
        raise UsageError(
            "one archive has nothing to differ from", hint="cryoscope diff A B", code="diff.archives"
        )
    if list(targets).count(STANDARD_INPUT) > 1:
        raise UsageError("standard input can be only one of them", code="diff.standard-input")
    walk = _Walk(asked, asking)
    try:
        for target in targets:
            walk.take(target)
    finally:
        walk.close()
    found = answer("diff", list(walk.parts), walk.damaged, walk.failures)
    different = asked.exit_code and not found.exit_code and any(part.different for part in walk.parts)
    return msgspec.structs.replace(found, exit_code=DIFFERENT if different else found.exit_code)


class _Opened:
    """A checkpoint with what looked at it while it streamed by."""

    def __init__(self, target: str, wanted: Wanted, asking: Asking) -> None:
        self.target = target
        in_pages = MEMORY in wanted.aspects
        self.hashes = PageHashes() if in_pages else None
        self.scan = StreamScan(wanted.patterns) if in_pages and wanted.patterns else None
        progress = asking.progress(target)
        archive = open_at(
            target,
            cache=asking.cache,
            access=asking.access,
            keep=StackEnds(),
            progress=progress,
            tap=_both(self.hashes, self.scan),
        )
        try:
            self.checkpoint = Checkpoint(archive)
        except CryoscopeError:
            archive.close()
            raise

    def side(self) -> Compared:
        """What it is."""
        container = self.checkpoint.container
        return Compared(
            archive=readable(self.target),
            engine=container.engine,
            id=container.id,
            name=container.name,
            checkpointed=container.checkpointed,
            processes=len(self.checkpoint.processes),
        )


def _both(hashes: PageHashes | None, scan: StreamScan | None) -> Tap | None:
    """One tap that is two."""
    if hashes is None or scan is None:
        return hashes
    return lambda archive, blocks: scan(archive, hashes(archive, blocks))


class _Walk:
    """Goes from archive to archive; at most two are open."""

    def __init__(self, asked: Asked, asking: Asking) -> None:
        self.asked, self.asking = asked, asking
        self.parts: list[DiffPart] = []
        self.failures: list[Failure] = []
        self._damaged: dict[str, list[DamagedIn]] = {}
        self._before: _Opened | None = None

    @property
    def damaged(self) -> list[DamagedIn]:
        """What could not be read of any of them, each once."""
        return [found for records in self._damaged.values() for found in records]

    def take(self, target: str) -> None:
        """Open the next archive and compare it."""
        try:
            after = _Opened(target, self.asked.wanted, self.asking)
        except CryoscopeError as error:
            self.failures.append((target, error))
            return
        before = self._before
        if before is None:
            self._before = after
            return
        try:
            self._compare(before, after)
        except CryoscopeError as error:
            self.failures.append((target, error))
        finally:
            self._go_on(before, after)

    def _go_on(self, before: _Opened, after: _Opened) -> None:
        done, self._before = (after, before) if self.asked.against_first else (before, after)
        done.checkpoint.archive.close()

    def _compare(self, before: _Opened, after: _Opened) -> None:
        found = compare(
            before.checkpoint,
            after.checkpoint,
            self.asked.wanted,
            hashes=(before.hashes, after.hashes),
            tap=after.scan,
            progress=self.asking.progress(after.target),
        )
        self.parts.append(_part(before, after, found.diff, self.asking.masker))
        self._damaged[before.target] = damage(before.target, found.old_damaged)
        self._damaged[after.target] = damage(after.target, found.new_damaged)

    def close(self) -> None:
        """Close what is open."""
        if self._before is not None:
            self._before.checkpoint.archive.close()


def _part(before: _Opened, after: _Opened, found: Diff, masker: Masker) -> DiffPart:
    return DiffPart(
        archive=readable(after.target),
        before=before.side(),
        after=after.side(),
        different=found.different,
        matched=found.matched,
        summary=found.summary,
        differences=[masked(difference, masker) for difference in found.differences],
        memory=found.memory,
        bytes=found.bytes,
        hits=[masker.hit(hit) for hit in found.hits],
        notes=[readable(note) for note in found.notes],
    )


NAMED = ("environment", "metadata")
"""Aspects whose subjects are names that tell whether a value is secret."""

TABLE = re.compile(r"(?:process\.env|labels|annotations|image_annotations)\.")
PLACE = re.compile(r"\[/[^\[\]]*+\]")
"""What stands before a name in `metadata`, and paths in it: /run/secrets makes no secret of its options."""


def masked(difference: Difference, masker: Masker) -> Difference:
    """A difference with the secrets in both values masked; that they differ is still told."""
    old, new = (_masked(difference, value, masker) for value in (difference.old, difference.new))
    if old == difference.old and new == difference.new:
        return difference
    return msgspec.structs.replace(difference, old=old, new=new)


def _masked(difference: Difference, value: Value | None, masker: Masker) -> Value | None:
    if value is None:
        return None
    name = _name(difference)
    if isinstance(value, list):
        return [masker.value(name, item) for item in value] if tells(name) else masker.arguments(value)
    return masker.value(name, value)


def _name(difference: Difference) -> str:
    """The name that tells whether the values are secret, dots and all; empty where there is none."""
    if difference.aspect not in NAMED:
        return ""
    if difference.aspect != "metadata":
        return difference.subject
    table = TABLE.match(difference.subject)
    return difference.subject[table.end() :] if table else PLACE.sub("", difference.subject)


def dump_of(address: tuple[int, int | None] | None) -> Dump:
    """Which differing pages are dumped: those between two addresses, or all."""
    if address is None:
        return Dump()
    start, end = address
    return Dump(start=start, end=start + SHOWN if end is None else end)
