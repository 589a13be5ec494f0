"""Lines of logs: each format, what is left alone, years and zones that they do not say."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoscope.examine.timeline.lines import FORMATS, Known
from cryoscope.examine.timeline.moments import iso, parse
from cryoscope.examine.timeline.records import Moment
from cryoscope.examine.timeline.sources.logs import NAME, OTHER, timed

DUMP = "2026-11-22T00:48:25Z"

LINES = {
    "2026-11-22T00:47:16.5+01:00 INFO up": ("iso", "2026-11-21T23:47:16.500Z", None),
    "[2026-11-22 00:47:16,123] {app.py:7} INFO - up": ("iso", "2026-11-22T00:47:16.123Z", "zone"),
    "2026-11-22 00:47:16.123 UTC [1] LOG:  ready": ("iso", "2026-11-22T00:47:16.123Z", None),
    "2026-11-22 00:47:16 status installed nc:amd64 1": ("iso", "2026-11-22T00:47:16Z", "zone"),
    "Start-Date: 2026-11-22  00:47:16": ("iso", "2026-11-22T00:47:16Z", "zone"),
    "<34>1 2026-11-22T00:47:16.003Z host app - - - up": ("iso", "2026-11-22T00:47:16.003Z", None),
    'time="2026-11-22T00:47:16Z" level=info msg=up': ("iso", "2026-11-22T00:47:16Z", None),
    "INFO 2026-11-22T00:47:16Z up": ("iso", "2026-11-22T00:47:16Z", None),
    '{"level":"info","ts":"2026-11-22T00:47:16.5Z"}': ("json", "2026-11-22T00:47:16.500Z", None),
    '{"a": {"time": 7}, "@timestamp" : "2026-11-22T00:47:16Z"}': ("json", "2026-11-22T00:47:16Z", None),
    '10.0.0.1 - bob [22/Nov/2026:00:47:16 -0330] "GET / HTTP/1.1" 200 5': (
        "clf",
        "2026-11-22T04:17:16Z",
        None,
    ),
    '::1 - - [22/Nov/2026:00:47:16 +0000] "-" 400 0': ("clf", "2026-11-22T00:47:16Z", None),
    "Nov  2 03:04:05 host sshd[7]: Accepted": ("syslog", "2026-11-02T03:04:05Z", "year and zone"),
    "<86>Dec 31 23:59:59 host su: no": ("syslog", "2025-12-31T23:59:59Z", "year and zone"),
    "Feb 29 12:00:00 host cron[1]: leap": ("syslog", "2024-02-29T12:00:00Z", "year and zone"),
    "Nov 22 23:00:00 host x: in a zone east of here": ("syslog", "2026-11-22T23:00:00Z", "year and zone"),
    "2026/11/22 00:47:16 [error] 7#7: *1 open() failed": ("nginx", "2026-11-22T00:47:16Z", "zone"),
    "[Sun Nov 22 00:47:16.123456 2026] [core:error] x": ("apache", "2026-11-22T00:47:16.123456Z", "zone"),
    "Sun Nov 22 00:47:16 2026 daemon started": ("apache", "2026-11-22T00:47:16Z", "zone"),
    "I1121 15:04:05.000001       1 main.go:7] up": ("klog", "2026-11-21T15:04:05.000001Z", "year and zone"),
    "1:M 22 Nov 2026 00:47:16.123 * Ready to accept": ("redis", "2026-11-22T00:47:16.123Z", "zone"),
    "type=SYSCALL msg=audit(1795308436.243:24287): arch": ("audit", "2026-11-22T00:47:16.243Z", None),
}
NO_LINES = (
    "",
    "ready",
    "2026-11-22",
    "20261122T004716Z compact",
    "2026-02-30T00:00:00Z no such day",
    "1795308436 a number",
    "Nov 22 99:00:00 host x: y",
    "Nux  2 03:04:05 host x: y",
    '10.0.0.1 - - [22/Nov/2026:00:47:16] "GET /"',
    "I1399 15:04:05.000001       1 main.go:7] up",
    '{"time": "soon"}',
    "\tat java.lang.Thread.run(Thread.java:7) 2026-11-22T00:47:16Z",
)


def known(zone: tzinfo | None = UTC, before: str | None = DUMP) -> Known:
    return Known(zone, parse(before))


def read(line: str, about: Known) -> list[tuple[str, Moment]]:
    found = [(form.name, form.read(line, about)) for form in FORMATS]
    return [(name, moment) for name, moment in found if moment is not None]


@pytest.mark.parametrize("line", LINES)
def test_each_format(line: str) -> None:
    """Only one format takes the line, and it takes it for the right moment."""
    ((name, moment),) = read(line, known())
    assert (name, iso(moment.ns, moment.precision), moment.assumed) == LINES[line]


@pytest.mark.parametrize("line", NO_LINES)
def test_no_time(line: str) -> None:
    assert read(line, known()) == []


@given(st.text(max_size=200))
def test_anything(line: str) -> None:
    for _, moment in read(line, known()):
        assert isinstance(moment.ns, int)


def test_a_zone_of_half_an_hour() -> None:
    ((_, moment),) = read("2026/11/22 00:47:16 [error] x", known(timezone(timedelta(hours=9, minutes=30))))
    assert iso(moment.ns, "s") == "2026-11-21T15:17:16Z"


def test_unknown_zones_and_years_are_counted() -> None:
    nowhere, never = known(zone=None), known(before=None)
    assert [*timed([b"2026/11/22 00:47:16 [error] x"], nowhere)] == []
    assert [*timed([b"Nov  2 03:04:05 host sshd[7]: Accepted"], never)] == []
    assert (nowhere.unplaced, never.unplaced) == (1, 1)
    own = b"2026-11-22T00:47:16Z says its own"
    assert [line for line, _, _ in timed([own], nowhere)] == [own]


def test_lines_without_a_time_are_left_out() -> None:
    lines = [b"", b"\xff\xfe", b"2026-11-22T00:47:16Z Traceback:", b"  File x", b"ValueError"] + [
        b"more"
    ] * 500
    lines += [b"2026-11-22T00:47:17Z again"]
    assert [line[:20] for line, _, _ in timed(lines, known())] == [lines[2][:20], lines[-1][:20]]


def test_a_file_that_is_no_log() -> None:
    assert [*timed([b"text"] * 101 + [b"2026-11-22T00:47:17Z late"], known())] == []


def test_names() -> None:
    for name in (
        "/var/log/x",
        "/app/a.log",
        "/app/a.log.1",
        "/a.log-20260101",
        "/etc/httpd/access_log",
        "/syslog",
    ):
        assert NAME.search(name), name
        assert not OTHER.search(name), name
    assert not NAME.search("/usr/lib/python3/logging/log.py")
    assert not NAME.search("/app/.log")
    for name in ("/var/log/wtmp", "/var/log/a.log.gz", "/var/log/journal/x.journal"):
        assert OTHER.search(name), name
