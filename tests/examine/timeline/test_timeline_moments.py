"""Times as text: exact, at every end of the calendar, in every zone, whatever zone the machine is in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoscope.errors import UsageError
from cryoscope.examine.timeline.moments import FIRST, ISO, LAST, SECOND, iso, moment_of, parse
from cryoscope.examine.timeline.records import Moment
from cryoscope.examine.timeline.span import bound, span

TIMES = {
    "1970-01-01T00:00:00Z": (0, "s"),
    "1969-12-31T23:59:59.999999999Z": (-1, "ns"),
    "2026-11-22T00:47:16.715784667Z": (1795308436715784667, "ns"),
    "2026-11-22T06:17:16.715784667+05:30": (1795308436715784667, "ns"),
    "2026-11-21T12:02:16.7-12:45": (1795308436700000000, "ms"),
    "2026-11-22 00:47:16.715784 +0000 UTC": (1795308436715784000, "us"),
    "2026-11-22 06:17:16.715784667 +0530 IST m=+0.000012345": (1795308436715784667, "ns"),
    "2026-11-22T00:47:16,715Z": (1795308436715000000, "ms"),
    "2038-01-19T03:14:08Z": (2147483648 * SECOND, "s"),
    "0001-01-01T00:00:00Z": (FIRST, "s"),
    "9999-12-31T23:59:59.999999999Z": (LAST, "ns"),
    "2016-12-31T23:59:60Z": (1483228800 * SECOND, "s"),
    "2017-01-01T05:29:60.5+05:30": (1483228800 * SECOND + SECOND // 2, "ms"),
    "2024-02-29T12:00:00.1234567891Z": (1709208000123456789, "ns"),
}
NO_TIMES = (
    "",
    "now",
    "2026-11-22",
    "2026-11-22T00:47:16",  # no zone
    "2023-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-11-22T24:00:00Z",
    "2026-11-22T00:60:00Z",
    "2026-11-22T00:00:60Z",
    "2026-11-22T00:47:16+24:00",
    "2026-11-22T00:47:16+05:60",
    "0000-01-01T00:00:00Z",
    "2026-11-22T00:47:16Zulu",
    "x" * 10_000,
)


@pytest.mark.parametrize("text", TIMES)
def test_exactly(text: str) -> None:
    assert parse(text) == Moment(*TIMES[text])


@pytest.mark.parametrize("text", NO_TIMES)
def test_nothing_else(text: str) -> None:
    assert parse(text) is None
    assert parse(None) is None


@given(st.integers(FIRST, LAST))
def test_back_and_forth(ns: int) -> None:
    assert parse(iso(ns)) == Moment(ns)


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)), st.integers(-1439, 1439))
def test_as_the_library_does(moment: datetime, minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    micros = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    found = parse(aware.isoformat())
    assert found is not None
    assert found.ns == micros * 1000


def test_no_year_of_five_digits() -> None:
    for ns in (FIRST - 1, LAST + 1, 1 << 90, -(1 << 90)):
        with pytest.raises(ValueError, match="four digits"):
            iso(ns)


def test_digits() -> None:
    shown = [iso(1795308436715784667, precision) for precision in ("ns", "us", "ms", "s", "day")]
    assert shown == [
        "2026-11-22T00:47:16.715784667Z",
        "2026-11-22T00:47:16.715784Z",
        "2026-11-22T00:47:16.715Z",
        "2026-11-22T00:47:16Z",
        "2026-11-22T00:47:16Z",
    ]
    assert iso(-1, "s") == "1969-12-31T23:59:59Z"


def test_a_zone_that_is_not_said() -> None:
    match = ISO.match("2026-03-29 03:30:00")
    assert match is not None
    assert moment_of(match, None) is None
    kathmandu = moment_of(match, timezone(timedelta(hours=5, minutes=45)))
    assert kathmandu is not None
    assert (iso(kathmandu.ns, "s"), kathmandu.assumed) == ("2026-03-28T21:45:00Z", "zone")


def test_hours_that_clocks_show_twice_or_never() -> None:
    zoneinfo = pytest.importorskip("zoneinfo")
    try:
        berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    except zoneinfo.ZoneInfoNotFoundError:
        pytest.skip("this machine has no time zones")
    shown = []
    for text in ("2026-10-25 02:30:00", "2026-03-29 02:30:00", "2026-07-01 12:00:00", "2026-01-01 12:00:00"):
        match = ISO.match(text)
        assert match is not None
        moment = moment_of(match, berlin)
        assert moment is not None
        shown.append(iso(moment.ns, "s")[11:16])
    assert shown == ["00:30", "01:30", "10:00", "11:00"]


BOUNDS = {
    "2026-11-22": ("2026-11-22T00:00:00.000000000Z", "2026-11-22T23:59:59.999999999Z"),
    "2026-11-22T00:47": ("2026-11-22T00:47:00.000000000Z", "2026-11-22T00:47:59.999999999Z"),
    "2026-11-22 00:47:16": ("2026-11-22T00:47:16.000000000Z", "2026-11-22T00:47:16.999999999Z"),
    "2026-11-22T00:47:16.5Z": ("2026-11-22T00:47:16.500000000Z", "2026-11-22T00:47:16.500999999Z"),
    "2026-11-22+05:30": ("2026-11-21T18:30:00.000000000Z", "2026-11-22T18:29:59.999999999Z"),
    "2026-11-22T00:47:16.123456789Z": ("2026-11-22T00:47:16.123456789Z",) * 2,
}


@pytest.mark.parametrize("text", BOUNDS)
def test_bounds(text: str) -> None:
    first, last = bound(text)
    assert (iso(first), iso(last)) == BOUNDS[text]


def test_a_span_in_a_zone() -> None:
    first, last = span("2026-11-22", "2026-11-22", timezone(timedelta(hours=-3, minutes=-30)))
    assert iso(first) == "2026-11-22T03:30:00.000000000Z"
    assert last - first == 86400 * SECOND - 1
    assert span(None, None) == (FIRST, LAST)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-02-30", "2026-11-22T25:00", "2026-11-22T00:47.5", "٢٠٢٦-11-22"]
)
def test_no_bounds(text: str) -> None:
    with pytest.raises(UsageError):
        bound(text)


def test_no_span() -> None:
    with pytest.raises(UsageError):
        span("2026-11-23", "2026-11-22")
