"""When timers would have fired: what was left of them at the dump, counted from its moment.

Timers of processors' time have no such moment and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.checkpoint.process import Process
from cryoscope.examine.timeline.asked import Asked
from cryoscope.examine.timeline.records import Event, Moment

SOURCE = "timer"
CPU = ("CLOCK_PROCESS_CPUTIME_ID", "CLOCK_THREAD_CPUTIME_ID")
LONGEST_US = 400 * 366 * 86400 * 1_000_000
"""Four centuries: what is further off was never meant to fire."""


def look(asked: Asked) -> Iterator[Event]:
    """The next firing of each interval timer, POSIX timer and timerfd that is armed; of shared ones once."""
    seen: set[int] = set()
    for process in asked.checkpoint.processes:
        for remaining, text in (*_of_task(process), *_of_descriptors(asked, process, seen)):
            if 0 < remaining < LONGEST_US:
                yield from _event(asked, process, remaining, text)


def _event(asked: Asked, process: Process, remaining: int, text: str) -> list[Event]:
    dump = asked.moment
    due = None if dump is None else Moment(dump.ns + remaining * 1000, dump.precision, dump.assumed)
    return asked.event(due, SOURCE, "timer due", text, pid=process.pid, comm=process.comm)


def _of_task(process: Process) -> Iterator[tuple[int, str]]:
    for timer in process.timers:
        clock = timer.clock or "CLOCK_REALTIME"  # that of timer_create(2); ITIMER_REAL has none
        if timer.kind in ("real", "posix") and clock.startswith("CLOCK_") and clock not in CPU:
            name = "interval timer" if timer.kind == "real" else f"POSIX timer {timer.id}"
            text = _text(name, timer.remaining_us, timer.interval_us, timer.signal or "SIGALRM")
            yield timer.remaining_us, text


def _of_descriptors(asked: Asked, process: Process, seen: set[int]) -> Iterator[tuple[int, str]]:
    for found in asked.checkpoint.descriptors(process.pid):
        if found.type == "timerfd" and found.remaining_us and found.file_id not in seen:
            seen.add(found.file_id)
            left, interval = found.remaining_us, found.interval_us or 0
            yield left, _text(f"timerfd {found.fd}", left, interval, found.clock or "")


def _text(name: str, left: int, interval: int, more: str) -> str:
    again = f", then every {interval / 1_000_000:g} s" if interval else ""
    return f"{name} ({more}), {left / 1_000_000:.6f} s after the dump{again}"
