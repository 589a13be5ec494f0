"""CRIU's log of the dump: when it began and ended, and what went wrong in between.

Its lines are timed in seconds since its beginning (criu/log.c); the file was last written at its end.
"""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.checkpoint.container import DumpLog
from cryoscope.examine.timeline.asked import Asked
from cryoscope.examine.timeline.moments import SECOND
from cryoscope.examine.timeline.records import Event, Moment

SOURCE = "dump"
LONGEST = 7 * 86400.0
"""Seconds that no dump takes."""


def look(asked: Asked) -> Iterator[Event]:
    """Beginning, end and problems of the dump; nothing, and a note, where no moment of it is known."""
    log, name = asked.checkpoint.dump_log, asked.checkpoint.dump_log_name
    if log is None or name is None or log.seconds is None:
        return
    end = asked.checkpoint.archive.members[name].mtime_ns
    if end <= 0 or not 0 <= log.seconds < LONGEST:
        asked.notes.append(f"the times of {name} are left out: nothing says when the dump began")
        return
    began = end - _ns(log.seconds)
    for at, kind, text in _told(asked, log):
        moment = Moment(began + _ns(at), "s" if end % SECOND == 0 else "ms", "moment")
        yield from asked.event(moment, SOURCE, kind, text, member=name)


def _told(asked: Asked, log: DumpLog) -> Iterator[tuple[float, str, str]]:
    by = f"CRIU {log.version or 'of an unknown version'}"
    yield 0.0, "dump began", f"{by} on {log.node}, kernel {log.kernel}" if log.kernel else by
    for problem in log.problems:
        if problem.at < LONGEST:
            yield problem.at, f"dump {problem.level}", f"{problem.where}: {problem.text}"
    statistics, text = asked.checkpoint.statistics, f"after {log.seconds:.6f} s"
    if statistics is not None:
        text += f", the container had stood still for {statistics.frozen_time / 1000:.1f} ms"
    yield log.seconds or 0.0, "dump ended", text


def _ns(seconds: float) -> int:
    return round(seconds * 1_000_000) * 1000
