"""The span of time that a person asks for: from the beginning of one moment to the end of another."""

from __future__ import annotations

import re
from datetime import UTC, tzinfo

from cryoscope.errors import UsageError
from cryoscope.examine.timeline.moments import FIRST, ISO, LAST, SECOND, UNITS, moment_of

GIVEN = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?([.,]\d{1,9})?)? ?(Z|z|UTC|[+-]\d\d:?\d\d)?", re.ASCII
)


def span(since: str | None, until: str | None, zone: tzinfo | None = UTC) -> tuple[int, int]:
    """The first and the last nanosecond; `2024-01-31` as an end means the end of that day.

    Times without a zone are in `zone`, or UTC.  Raises UsageError for what is no time.
    """
    first = bound(since, zone)[0] if since else FIRST
    last = bound(until, zone)[1] if until else LAST
    if first > last:
        raise UsageError("the time to begin with is after the one to end with", code="timeline.span")
    return first, last


def bound(text: str, zone: tzinfo | None = UTC) -> tuple[int, int]:
    """The first and the last nanosecond of a day, minute, second or fraction of it; raises UsageError."""
    given = GIVEN.fullmatch(text.strip())
    if given is not None:
        day, clock, seconds, digits, own = given.groups()
        full = f"{day}T{clock or '00:00'}{seconds or ':00'}{digits or ''}{own or ''}"
        match = ISO.fullmatch(full)
        moment = moment_of(match, zone or UTC) if match else None
        if moment is not None and (seconds or not digits):
            unit = UNITS["day"] if not clock else 60 * SECOND if not seconds else UNITS[moment.precision]
            return moment.ns, moment.ns + unit - 1
    raise UsageError(
        f"{text} is no time", hint="write 2026-11-22, or 2026-11-22T00:47:16+01:00", code="timeline.time"
    )
