"""nginx's error log: `2024/01/31 23:59:59 [error] 7#7: *1 text`, and others with a day like it (Go's log)."""

from __future__ import annotations

import re

from cryoscope.examine.timeline.lines.format import Format, Known
from cryoscope.examine.timeline.records import Moment

LINE = re.compile(r"(\d{4})/(\d\d)/(\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?![\d:])")


def read(line: str, known: Known) -> Moment | None:
    """The moment that the line begins with."""
    match = LINE.match(line)
    if match is None:
        return None
    return known.local(int(match[1]), int(match[2]), int(match[3]), match[4], match[5])


FORMAT = Format("nginx", "log line", read)
