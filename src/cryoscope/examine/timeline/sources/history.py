"""Commands that were typed into shells, as far as somebody kept when."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.examine.timeline.asked import Asked
from cryoscope.examine.timeline.moments import parse
from cryoscope.examine.timeline.records import Event, Moment

SOURCE = "history"


def look(asked: Asked) -> Iterator[Event]:
    """Each command that has a time, to the second."""
    from cryoscope.examine.shell_history import shell_history

    found = shell_history(asked.checkpoint, stamped=asked.stamped)
    asked.damaged += found.damaged
    asked.notes += found.notes
    for command in found.commands:
        moment = parse(command.time)
        yield from asked.event(
            None if moment is None else Moment(moment.ns, "s"),
            SOURCE,
            "command typed",
            command.command,
            pid=command.pid,
            comm=command.comm,
            path=command.path,
            member=command.member,
        )
