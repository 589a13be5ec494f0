"""Whether there is room for what comes, before it comes: the budget of the settings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cryoscope.errors import Refused
from cryoscope.report.units import size
from cryoscope.settings import Settings

if TYPE_CHECKING:
    from cryoscope.evidence.store import Store


def check(place: Store | str, expected: int, chosen: Settings) -> None:
    """Whether `expected` bytes may go into a store or a folder.

    A folder that is not there yet is judged by the disk of the next one above it.  Raises `Refused`
    (`budget.store`, `budget.disk`), `UsageError` (`retention.size`) for settings that make no sense.
    """
    from cryoscope.evidence.retention import bytes_of

    budget = chosen.budget
    if budget.store and not isinstance(place, str):
        _in_store(place, expected, bytes_of(budget.store))
    if budget.free:
        _on_disk(place, expected, bytes_of(budget.free))


def _in_store(store: Store, expected: int, most: int) -> None:
    """Whether the store stays within its budget, with what is held in it."""
    there = sum(case.size for case in store.cases())
    if there + expected > most:
        raise Refused(
            f"the store has {size(there)}, {size(expected)} would come, and {size(most)} are its budget",
            hint="`cryoscope case prune` makes room; [budget] of the settings says how much there may be",
            code="budget.store",
        )


def _on_disk(place: Store | str, expected: int, least: int) -> None:
    """Whether enough of the disk stays free; nobody knows that of S3."""
    free = free_at(place) if isinstance(place, str) else place.blobs.free()
    if free is not None and free - expected < least:
        where = place if isinstance(place, str) else place.blobs.url
        raise Refused(
            f"{size(free)} are free at {where}, {size(expected)} would come, {size(least)} must stay free",
            hint="make room or name another place; [budget] of the settings says what must stay free",
            code="budget.disk",
        )


def free_at(folder: str) -> int | None:
    """Bytes that a user may still write at a path, which may be made only later; None where nobody knows."""
    path = os.path.abspath(folder or ".")
    while True:
        try:
            status = os.statvfs(path)
        except FileNotFoundError:
            path = os.path.dirname(path)
        except OSError:
            return None
        else:
            return status.f_bavail * status.f_frsize
