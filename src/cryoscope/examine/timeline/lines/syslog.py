"""The old form of syslog (RFC 3164): `Jan  2 03:04:05 host program[7]: text`, without a year or a zone."""

from __future__ import annotations

import re

from cryoscope.examine.timeline.lines.format import Format, Known
from cryoscope.examine.timeline.moments import MONTHS
from cryoscope.examine.timeline.records import Moment

LINE = re.compile(r"(?:<\d{1,3}>)?([A-Z][a-z]{2}) ([ \d]\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,9}))? \S")


def read(line: str, known: Known) -> Moment | None:
    """The last moment before the checkpoint that the line can mean."""
    match = LINE.match(line)
    if match is None or match[1] not in MONTHS:
        return None
    return known.latest(MONTHS[match[1]], int(match[2]), match[3], match[4])


FORMAT = Format("syslog", "log line", read)
