"""The Apache HTTP server's error log: `[Wed Oct 11 14:32:52.123456 2000] [core:error] text`."""

from __future__ import annotations

import re

from cryoscope.examine.timeline.lines.format import Format, Known
from cryoscope.examine.timeline.moments import MONTHS
from cryoscope.examine.timeline.records import Moment

LINE = re.compile(
    r"\[?[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,9}))? (\d{4})(?![\d:])"
)


def read(line: str, known: Known) -> Moment | None:
    """The moment that the line begins with."""
    match = LINE.match(line)
    if match is None or match[1] not in MONTHS:
        return None
    return known.local(int(match[5]), MONTHS[match[1]], int(match[2]), match[3], match[4])


FORMAT = Format("apache", "log line", read)
