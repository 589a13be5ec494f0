"""What one side cannot tell: a part that could not be read is unknown there, and not gone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from cryoscope.errors import Damaged
from cryoscope.examine.diff.records import ADDED, REMOVED, UNKNOWN, Difference, Value

ANYTHING = frozenset(
    (
        "archive.truncated",
        "archive.header",
        "archive.compression",
        "archive.no-end",
        "archive.io",
        "archive.pax",
        "archive.sparse",
        "limit.members",
        "limit.damaged",
        "limit.folder-depth",
    )
)
"""Codes of damage behind which any part of an archive may be missing."""

SILENT: tuple[Value | None, ...] = (None, "no", "0", [], "")
"""Values that a field has, too, where nothing is known of it."""

OF_PID = re.compile(r"pid (\d+)|(?:.*/)?(?:core|mm|fs|ids|pagemap|vmas|creds)-(\d+)(?:\.img)?")
"""Parts that say something of one process alone."""


class Trust:
    """What of one checkpoint is damaged, to be asked by aspect."""

    def __init__(self, damaged: Iterable[Damaged]) -> None:
        self._damaged = list(damaged)
        self._pids: dict[re.Pattern[str], set[int] | None] = {}

    def lost(self, parts: re.Pattern[str], pid: int | None) -> bool:
        """Whether something that an aspect reads (`parts`) could not be read, of this process at least."""
        if parts not in self._pids:
            self._pids[parts] = self._concerned(parts)
        pids = self._pids[parts]
        return pids is None or pid in pids or (pid is None and bool(pids))

    def _concerned(self, parts: re.Pattern[str]) -> set[int] | None:
        """The pids that damage is about; None where it is about more than single processes."""
        found = set[int]()
        for one in self._damaged:
            if one.code in ANYTHING:
                return None
            if parts.search(one.part):
                named = OF_PID.fullmatch(one.part)
                if named is None:
                    return None
                found.add(int(named[1] or named[2]))
        return found


def doubted(
    found: Iterable[Difference], parts: re.Pattern[str], old: Trust, new: Trust
) -> Iterator[Difference]:
    """The differences, those as unknown of which one side says nothing and is damaged there."""
    for difference in found:
        pid = difference.pid
        silent_old = difference.change == ADDED or (difference.field and difference.old in SILENT)
        silent_new = difference.change == REMOVED or (difference.field and difference.new in SILENT)
        before = difference.pid_before or pid
        if (silent_old and old.lost(parts, before)) or (silent_new and new.lost(parts, pid)):
            yield msgspec.structs.replace(difference, change=UNKNOWN)
        else:
            yield difference
