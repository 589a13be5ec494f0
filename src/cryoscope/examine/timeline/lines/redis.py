"""The lines of Redis and Valkey (server.c, serverLogRaw): `1:M 22 Nov 2026 00:47:16.123 * text`."""

from __future__ import annotations

import re

from cryoscope.examine.timeline.lines.format import Format, Known
from cryoscope.examine.timeline.moments import MONTHS
from cryoscope.examine.timeline.records import Moment

LINE = re.compile(r"\d{1,10}:[A-Z] (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d:\d\d:\d\d)\.(\d{3}) ")


def read(line: str, known: Known) -> Moment | None:
    """The moment that stands behind the process."""
    match = LINE.match(line)
    if match is None or match[2] not in MONTHS:
        return None
    return known.local(int(match[3]), MONTHS[match[2]], int(match[1]), match[4], match[5])


FORMAT = Format("redis", "log line", read)
