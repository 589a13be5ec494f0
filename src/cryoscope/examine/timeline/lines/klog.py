"""The lines of klog and glog (Kubernetes): `I0102 15:04:05.000000  1 file.go:7] text`, without a year."""

from __future__ import annotations

import re

from cryoscope.examine.timeline.lines.format import Format, Known
from cryoscope.examine.timeline.records import Moment

LINE = re.compile(r"[IWEF](\d\d)(\d\d) (\d\d:\d\d:\d\d)\.(\d{6}) +\d+ [^\s\]]{1,200}\]")


def read(line: str, known: Known) -> Moment | None:
    """The last moment before the checkpoint that the line can mean."""
    match = LINE.match(line)
    return known.latest(int(match[1]), int(match[2]), match[3], match[4]) if match else None


FORMAT = Format("klog", "log line", read)
