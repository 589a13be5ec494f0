"""The Common Log Format of web servers: `host ident user [10/Oct/2000:13:55:36 -0700] "GET /" 200 9`.

Defined in the Apache HTTP server's documentation of mod_log_config; nginx's combined format begins with it.
"""

from __future__ import annotations

import re

from cryoscope.examine.timeline.lines.format import Format, Known
from cryoscope.examine.timeline.moments import MONTHS, SECOND, offset_of, seconds_of
from cryoscope.examine.timeline.records import Moment

LINE = re.compile(
    r"[^\s\[]{1,255} [^\[]{1,255}\[(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})\] \""
)


def read(line: str, known: Known) -> Moment | None:
    """The moment at which the request came."""
    match = LINE.match(line)
    if match is None:
        return None
    day, month, year, hour, minute, second, zone = match.groups()
    try:
        seconds = seconds_of(int(year), MONTHS.get(month, 0), int(day), int(hour), int(minute), int(second))
        return Moment((seconds - offset_of(zone)) * SECOND, "s")
    except ValueError:
        return known.counted(None)


FORMAT = Format("clf", "request", read)
