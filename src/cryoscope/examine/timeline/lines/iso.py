"""Lines that begin with an ISO 8601 time: Python, Go, Java, PostgreSQL, MySQL, dpkg, apt, RFC 5424's syslog.

What may stand before it: a priority and version (RFC 5424), a bracket, logfmt's `time=`, a level, apt's name.
"""

from __future__ import annotations

import re

from cryoscope.examine.timeline.lines.format import Format, Known
from cryoscope.examine.timeline.moments import ISO
from cryoscope.examine.timeline.records import Moment

BEFORE = re.compile(
    r"(?:<\d{1,3}>\d{1,2} |(?:time|ts|t|timestamp)=\"?|(?:Start|End)-Date: |\[?[A-Z]{4,8}\]?:? )?[\[(]?"
)
APT = re.compile(r"(?<=-Date: \d{4}-\d\d-\d\d) (?= \d)")
"""Apt has two spaces between the day and the time."""


def read(line: str, known: Known) -> Moment | None:
    """The moment that the line begins with."""
    if line.startswith(("Start-Date", "End-Date")):
        line = APT.sub("", line, count=1)
    before = BEFORE.match(line)
    match = ISO.match(line, before.end() if before else 0)
    return known.stamped(match) if match else None


FORMAT = Format("iso", "log line", read)
