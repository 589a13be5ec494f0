"""Lines of logs among the files that the container wrote, or had open when they were deleted.

The end of each, in the formats of `timeline.lines`; a line without a time belongs to the one before it, and
is left out.  Of a file none of whose first lines has a time nothing is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope import limits
from cryoscope.checkpoint.rootfs import FileEntry
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.timeline.asked import Asked
from cryoscope.examine.timeline.lines import FORMATS, Format, Known
from cryoscope.examine.timeline.records import Event, Moment
from cryoscope.text import readable

SOURCE = "logfile"
NAME = re.compile(r"(?:^/var/log/.+|[^/]\.log(?:[.-]\d{1,8})?|/(?:access|error)_log|/(?:syslog|messages))$")
OTHER = re.compile(r"\.(?:gz|xz|bz2|zst|journal|db)$|/(?:wtmp|btmp|lastlog|faillog|tallylog)$")
FIRST_LINES = 100
PLAIN = 1000
"""Characters at the beginning of a line in which its time is looked for."""


def look(asked: Asked) -> Iterator[Event]:
    """The lines that have a time, of each log."""
    left, files, lines = limits.TIMELINE_LOGS, 0, limits.TIMELINE_LINES
    for entry in asked.checkpoint.filesystem.entries:
        if not entry.has_contents or not NAME.search(entry.path) or OTHER.search(entry.path):
            continue
        files += 1
        if files > limits.TIMELINE_LOG_FILES or left <= 0 or lines <= 0:
            asked.notes.append("logs among the changed files are left out: there are too many")
            return
        left -= entry.size or 0
        try:
            found = asked.last(_in_file(asked, entry), lines, entry.path)
            lines -= len(found)
            yield from found
        except CryoscopeError as error:
            asked.damaged.append(Damaged(f"{entry.member}: {entry.path}", error.message, error.code))


def _in_file(asked: Asked, entry: FileEntry) -> Iterator[Event]:
    data, skipped = _end(asked, entry)
    lines = data.rsplit(b"\n", limits.TIMELINE_TRIED)
    if skipped or len(lines) > limits.TIMELINE_TRIED:
        asked.notes.append(f"{entry.path}: the first {skipped + len(lines[0]) + 1} bytes are left out")
        lines = lines[1:]
    holder = entry.open_in[0] if entry.open_in else None
    known = Known(asked.zone, asked.moment)
    for line, moment, form in timed(lines, known):
        yield from asked.event(
            moment,
            SOURCE,
            form.kind,
            readable(line[: limits.TIMELINE_LINE].rstrip(b"\r")),
            pid=holder.pid if holder else None,
            comm=holder.comm if holder else None,
            path=entry.path,
            path_base64=entry.path_base64,
            member=entry.member,
        )
    if known.unplaced:
        why = "whose zone or year is not known"
        asked.notes.append(f"{entry.path}: {known.unplaced} lines are left out, with times {why}")


def _end(asked: Asked, entry: FileEntry) -> tuple[bytes, int]:
    """The last bytes of a file, and how many there are before."""
    kept, size = bytearray(), 0
    for block in asked.checkpoint.filesystem.blocks(entry):
        size += len(block)
        kept += block
        if len(kept) > 2 * limits.TIMELINE_LOG:
            del kept[: -limits.TIMELINE_LOG]
        if size > limits.TIMELINE_LOGS:
            asked.notes.append(f"{entry.path}: what comes after {size} bytes is left out")
            break
    del kept[: -limits.TIMELINE_LOG]
    return bytes(kept), size - len(kept)


def timed(lines: list[bytes], known: Known) -> Iterator[tuple[bytes, Moment, Format]]:
    """The lines that have a time, with it; none if the first hundred have none."""
    formats, untimed = list(FORMATS), 0
    for line in lines:
        if not line.strip():
            continue
        start = line[:PLAIN].decode("latin-1")
        found = next(((form, moment) for form in formats if (moment := form.read(start, known))), None)
        if found is None:
            untimed += 1
            if untimed > FIRST_LINES:
                return
            continue
        form, moment = found
        if formats[0] is not form:
            formats.remove(form)
            formats.insert(0, form)
        untimed = -len(lines)  # it is a log: whatever stands between its lines, there may be more
        yield line, moment, form
