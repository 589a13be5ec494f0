"""Numbers as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_YEAR, LAST_YEAR = -62135596800, 253402300799
"""Seconds that a date of four digits can tell."""


def size(count: int | None) -> str:
    """Bytes with a binary prefix: `136.0 KiB`."""
    if count is None:
        return ""
    number, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if number < 1024 or unit == "TiB":
            break
        number /= 1024
    return f"{count} B" if unit == "B" else f"{number:.1f} {unit}"


def moment(text: str | None) -> str:
    """An RFC 3339 time to the second: `2026-11-22 00:55:03Z`."""
    if not text:
        return ""
    day, _, rest = text.partition("T")
    return f"{day} {rest[:8]}Z"


def second(nanoseconds: int | None) -> str:
    """Nanoseconds since 1970 to the second, in UTC; the number itself where no date can tell it."""
    if nanoseconds is None:
        return ""
    seconds = nanoseconds // 1_000_000_000
    if not FIRST_YEAR <= seconds <= LAST_YEAR:
        return f"{seconds} s"
    return f"{EPOCH + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%SZ}"


def duration(microseconds: int) -> str:
    """A time with three digits: `189.5 ms`."""
    if microseconds < 1000:
        return f"{microseconds} us"
    if microseconds < 1_000_000:
        return f"{microseconds / 1000:.1f} ms"
    return f"{microseconds / 1_000_000:.2f} s"


def short_id(text: str | None) -> str:
    """The first twelve digits of an id or digest."""
    return (text or "").removeprefix("sha256:")[:12]


def plural(count: int, noun: str) -> str:
    """`1 process`, `2 processes`."""
    if count == 1:
        return f"{count} {noun}"
    return f"{count} {noun}{'es' if noun.endswith('s') else 's'}"
