"""Lines that are JSON objects with an ISO 8601 time under one of its usual names."""

from __future__ import annotations

import re

from cryoscope.examine.timeline.lines.format import Format, Known
from cryoscope.examine.timeline.moments import ISO
from cryoscope.examine.timeline.records import Moment

NAME = re.compile(r'"(?:@?timestamp|time|ts|t|datetime|date|eventTime)"\s{0,4}:\s{0,4}"')


def read(line: str, known: Known) -> Moment | None:
    """The first such time of an object."""
    if not line.startswith("{"):
        return None
    for name in NAME.finditer(line):
        match = ISO.match(line, name.end())
        if match:
            return known.stamped(match)
    return None


FORMAT = Format("json", "log line", read)
