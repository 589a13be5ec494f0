"""Times of this room: ISO 8601 in UTC to the microsecond, so that they compare as texts."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], str]
"""What time it is; given from outside, so that it can be another one."""

FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


def now() -> str:
    """The time of the system's clock."""
    return written(datetime.now(UTC))


def written(moment: datetime) -> str:
    """A time that knows its zone, as this room writes it."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def valid(text: str) -> bool:
    """Whether a text is a time as this room writes it."""
    if not FORM.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def later(text: str, seconds: float) -> str:
    """The time so many seconds after another; the end of time where there is none."""
    try:
        return written(datetime.fromisoformat(text) + timedelta(seconds=seconds))
    except OverflowError:
        return written(datetime.max.replace(tzinfo=UTC))
