"""Times as text to nanoseconds and back, exactly and without the machine's own zone.

RFC 3339, ISO 8601's extended form with a comma or without a zone, and what Go's `time.Time` prints
(`2024-01-01 00:00:00.5 +0530 IST m=+0.1`).  Unix time has no leap
seconds: 23:59:60 is the second that follows.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

from cryoscope.examine.timeline.records import Moment

SECOND = 1_000_000_000
DAY = 86400
EPOCH = date(1970, 1, 1).toordinal()
FIRST, LAST = (date(1, 1, 1).toordinal() - EPOCH) * DAY * SECOND, 253402300800 * SECOND - 1
"""The years 1 to 9999, which calendars of all formats have."""

BITS_63 = (1 << 63) - 1
"""Nanoseconds that a signed number of 64 bits holds: the years 1677 to 2262."""

UNITS = {"ns": 1, "us": 1000, "ms": 1_000_000, "s": SECOND, "day": DAY * SECOND}
DIGITS = {"ns": 9, "us": 6, "ms": 3, "s": 0, "day": 0}

ZONE = r"Z|z|UTC|GMT|[+-]\d\d:?\d\d"
ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,30}))?"
    rf"(?: ?({ZONE})(?![A-Za-z0-9])(?: [A-Z]{{2,5}}\b)?(?: m=[+-][\d.]{{1,40}})?)?",
    re.ASCII,
)
NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTHS = {name: number for number, name in enumerate(NAMES, 1)}
"""Months as logs spell them in every locale."""


def seconds_of(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> int:
    """Seconds since 1970 of a time in UTC; ValueError if the calendar has no such moment."""
    leap = second == 60 and minute % 15 == 14  # zones differ by quarters of an hour
    if hour > 23 or minute > 59 or (second > 59 and not leap):
        raise ValueError("no such time of day")
    days = date(year, month, day).toordinal() - EPOCH
    return ((days * 24 + hour) * 60 + minute) * 60 + second


def fraction_of(digits: str | None) -> tuple[int, str]:
    """The nanoseconds of the digits behind a point, and how exact that is; a tenth digit is dropped."""
    if not digits:
        return 0, "s"
    precision = "ms" if len(digits) <= 3 else "us" if len(digits) <= 6 else "ns"
    return int(digits[:9].ljust(9, "0")), precision


def offset_of(zone: str) -> int:
    """Seconds east of Greenwich; ValueError beyond a day."""
    if zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        raise ValueError("no such zone")
    return (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)


def moment_of(match: re.Match[str], zone: tzinfo | None = UTC) -> Moment | None:
    """The moment that a match of `ISO` is; `zone` is that of a time that does not say its own.

    None if there is no such moment, or it says no zone and `zone` is None.
    """
    try:
        seconds = seconds_of(*(int(part) for part in match.groups()[:6]))
        part, precision = fraction_of(match[7])
        if match[8]:
            return Moment((seconds - offset_of(match[8])) * SECOND + part, precision)
        return in_zone(seconds, part, precision, zone)
    except ValueError:
        return None


def in_zone(
    seconds: int, part: int, precision: str, zone: tzinfo | None, assumed: str = "zone"
) -> Moment | None:
    """The moment at which clocks in `zone` showed `seconds` and `part` nanoseconds; None without a zone.

    Of the two moments that an hour in autumn has it is the first.
    """
    if zone is None:
        return None
    try:
        shown = datetime(1970, 1, 1, tzinfo=zone) + timedelta(seconds=seconds)
        east = shown.utcoffset() or timedelta()
    except OverflowError:
        return None
    return Moment((seconds - int(east.total_seconds())) * SECOND + part, precision, assumed)


def parse(text: str | None) -> Moment | None:
    """The moment of an RFC 3339 time, or one that Go printed; None if it is none or says no zone."""
    match = ISO.fullmatch(text.strip()) if text and len(text) < 200 else None
    return moment_of(match, None) if match else None


def iso(ns: int, precision: str = "ns") -> str:
    """RFC 3339 in UTC with the digits that `precision` has; ValueError outside of the years 1 to 9999."""
    seconds, part = divmod(ns, SECOND)
    days, second = divmod(seconds, DAY)
    try:
        day = date.fromordinal(days + EPOCH).isoformat()
    except (ValueError, OverflowError):
        raise ValueError("no year of four digits") from None
    digits = f".{part:09d}"[: DIGITS[precision] + 1] if DIGITS[precision] else ""
    return f"{day}T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}{digits}Z"


def written(ns: int) -> Moment:
    """A file's time: whole seconds are all that most tars keep."""
    return Moment(ns, "s" if ns % SECOND == 0 else "ns")
