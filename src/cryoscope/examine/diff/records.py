"""What a comparison of two checkpoints gives: differences by aspect, and memory page by page."""

from __future__ import annotations

import msgspec

from cryoscope.checkpoint.memory import Address
from cryoscope.examine.search.hits import Hit

ADDED, REMOVED, CHANGED, UNKNOWN = "added", "removed", "changed", "unknown"
"""Kinds of `Difference`; unknown: what one side says nothing of because that part of it is damaged."""

Value = str | list[str]


class Difference(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One thing that is not the same on both sides.

    `subject` names it within its aspect (a variable, `fd 7`, a path), `field` what of it changed.  `old`
    and `new` are how it was and is; None where it was not there, or where that side does not say.  `pid`
    and `comm` are those of the later side, `pid_before` only where the earlier one had another.
    """

    aspect: str
    change: str
    subject: str
    field: str | None = None
    old: Value | None = None
    new: Value | None = None
    pid: int | None = None
    pid_before: int | None = None
    comm: str | None = None


class Pages(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Pages, counted.

    `equal`, `changed`: known on both sides, `zero`: never touched on either.  `new`: has bytes in the later
    one and was not mapped, or clean in its file, before; `gone`: the reverse.  `file` pages were clean in
    the mapped file on both sides, so that neither archive holds them: not compared.  `unknown` are missing
    on one side or both.
    """

    equal: int = 0
    zero: int = 0
    changed: int = 0
    new: int = 0
    gone: int = 0
    file: int = 0
    unknown: int = 0

    @property
    def differing(self) -> int:
        """Pages that are not the same, as far as both sides are known."""
        return self.changed + self.new + self.gone


class PageRun(msgspec.Struct, frozen=True, kw_only=True):
    """Pages in a row that are `changed`, `new` or `gone`; in a shared object `address` is an offset."""

    address: Address
    pages: int
    change: str


class MappingPages(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The pages of one mapping (as the later side has it, else the earlier); `more` runs are left out."""

    start: Address
    end: Address
    perms: str
    kind: str
    pages: Pages
    path: str | None = None
    runs: list[PageRun] = []
    more: int = 0


class ProcessPages(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The private pages of one process; `mappings` are those with differences or unknown pages."""

    pid: int
    comm: str
    page_size: int
    pages: Pages
    pid_before: int | None = None
    mappings: list[MappingPages] = []


class ObjectPages(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The pages of one shared object, once; `object` is its number in the later side, `pids` who maps it."""

    object: int
    kind: str
    pages: Pages
    object_before: int | None = None
    path: str | None = None
    pids: list[int] = []
    runs: list[PageRun] = []
    more: int = 0


class MemoryDifference(msgspec.Struct, frozen=True, kw_only=True):
    """Memory of the processes that are in both, their shared objects, and the sum."""

    processes: list[ProcessPages]
    objects: list[ObjectPages]
    total: Pages


class Matched(msgspec.Struct, frozen=True, kw_only=True):
    """A process that is in both; `by` says how that is known (see `match`)."""

    pid: int
    pid_before: int
    comm: str
    by: str


class ChangedBytes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A run of pages of one state on both sides, for a dump; `old` and `new` as hex where they are known."""

    pid: int
    comm: str
    address: Address
    size: int
    change: str
    old: str | None = None
    new: str | None = None
    object: int | None = None


class Diff(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is different between two checkpoints, in the order of the aspects.

    `summary` counts the differences of each aspect that was compared by kind.  `memory` is None where it
    was not compared; `bytes` and `hits` are there only where they were asked for.
    """

    matched: list[Matched]
    summary: dict[str, dict[str, int]]
    differences: list[Difference]
    memory: MemoryDifference | None = None
    bytes: list[ChangedBytes] = []
    hits: list[Hit] = []
    notes: list[str] = []

    @property
    def different(self) -> bool:
        """Whether anything is not the same; what is unknown does not count."""
        if any(found.change != UNKNOWN for found in self.differences):
            return True
        return self.memory is not None and self.memory.total.differing > 0
