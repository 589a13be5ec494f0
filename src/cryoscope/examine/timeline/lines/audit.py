"""The kernel's audit log: `type=SYSCALL msg=audit(1364481363.243:24287): ...`, in Unix time."""

from __future__ import annotations

import re

from cryoscope.examine.timeline.lines.format import Format, Known
from cryoscope.examine.timeline.moments import SECOND
from cryoscope.examine.timeline.records import Moment

LINE = re.compile(r"(?:node=\S{1,255} )?type=\S{1,64} msg=audit\((\d{1,11})\.(\d{3}):\d{1,20}\)")


def read(line: str, _known: Known) -> Moment | None:
    """The moment of the record."""
    match = LINE.match(line)
    return Moment(int(match[1]) * SECOND + int(match[2]) * 1_000_000, "ms") if match else None


FORMAT = Format("audit", "audit record", read)
