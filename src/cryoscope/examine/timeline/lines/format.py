"""What a format of log lines is, and what is known where lines do not say their year or zone."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import tzinfo
from typing import NamedTuple

from cryoscope.examine.timeline.moments import DAY, SECOND, fraction_of, in_zone, moment_of, seconds_of
from cryoscope.examine.timeline.records import Moment

YEARS = 8
"""Years back in which a day without one is looked for: 29 February comes every four, or eight, years."""


class Known:
    """The zone of lines that do not say theirs, the moment before which they were written, if known.

    `unplaced` counts the lines whose time nobody can tell.
    """

    def __init__(self, zone: tzinfo | None, before: Moment | None) -> None:
        self.zone = zone
        self.before = before
        self.unplaced = 0

    def counted(self, moment: Moment | None) -> Moment | None:
        """The moment; none is counted."""
        self.unplaced += moment is None
        return moment

    def stamped(self, match: re.Match[str]) -> Moment | None:
        """The moment of a match of `moments.ISO`."""
        return self.counted(moment_of(match, self.zone))

    def local(
        self, year: int, month: int, day: int, clock: str, digits: str | None = None, assumed: str = "zone"
    ) -> Moment | None:
        """The moment at which clocks showed this: `hh:mm:ss`, and the digits behind a point."""
        try:
            part, precision = fraction_of(digits)
            seconds = seconds_of(year, month, day, *(int(number) for number in clock.split(":")))
            return self.counted(in_zone(seconds, part, precision, self.zone, assumed))
        except ValueError:
            return self.counted(None)

    def latest(self, month: int, day: int, clock: str, digits: str | None = None) -> Moment | None:
        """The last such moment of any year before the checkpoint, or a day after: zones differ."""
        if self.before is None or self.zone is None:
            return self.counted(None)
        limit = self.before.ns + DAY * SECOND
        last = 1970 + self.before.ns // (DAY * SECOND * 365)
        unplaced = self.unplaced
        for year in range(min(last, 9999), max(last - YEARS, 1), -1):
            found = self.local(year, month, day, clock, digits, "year and zone")
            if found is not None and found.ns <= limit:
                self.unplaced = unplaced
                return found
        self.unplaced = unplaced + 1
        return None


class Format(NamedTuple):
    """A format: its name, what an event of it means, and the moment of a line; None for a line without."""

    name: str
    kind: str
    read: Callable[[str, Known], Moment | None]
