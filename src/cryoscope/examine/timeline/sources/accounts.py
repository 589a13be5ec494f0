"""When passwords were last changed: the third field of /etc/shadow, in days since 1970 (shadow(5))."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope import limits
from cryoscope.examine.timeline.asked import Asked
from cryoscope.examine.timeline.moments import DAY, SECOND
from cryoscope.examine.timeline.records import Event, Moment
from cryoscope.text import readable

SOURCE = "account"
PATHS = ("/etc/shadow", "/etc/shadow-")


def look(asked: Asked) -> Iterator[Event]:
    """The day of each account's last change, from a shadow file that the container wrote."""
    tree = asked.checkpoint.filesystem
    for path in PATHS:
        entry = tree.find(path)
        if entry is None or not entry.has_contents:
            continue
        for line in tree.read(entry, limits.TIMELINE_LOG).split(b"\n")[: limits.TIMELINE_EVENTS]:
            fields = line.split(b":")
            if len(fields) >= 3 and fields[2].isdigit() and 0 < len(fields[2]) < 8 and int(fields[2]):
                moment = Moment(int(fields[2]) * DAY * SECOND, "day")
                name = readable(fields[0][:256])
                yield from asked.event(
                    moment, SOURCE, "password changed", name, path=path, member=entry.member
                )
