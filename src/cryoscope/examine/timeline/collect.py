"""All events of a checkpoint in one order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.timeline.asked import Asked
from cryoscope.examine.timeline.records import Event
from cryoscope.examine.timeline.sources import IN_MEMORY, LOOKS

if TYPE_CHECKING:
    from cryoscope.examine.secrets import Finding


def timeline_of(
    checkpoint: Checkpoint,
    *,
    damaged: list[Damaged] | None = None,
    notes: list[str] | None = None,
    zone: tzinfo | None = None,
    memory: bool = True,
    secrets: Sequence[Finding] = (),
    far: bool = False,
    stamped: Collection[int] | None = None,
) -> list[Event]:
    """Every event, by time, then source, kind and path; the order is the same in every run.

    What could not be read is appended to `damaged`, what was left out to `notes`.  `zone` is that of log
    lines which do not say theirs.  Without `memory` no process's memory is read.  `secrets` are what
    `examine.secrets` found, for the times of tokens and keys: at least by `sources.secrets.RULES`.  `far`
    keeps events whose nanoseconds 63 bits do not hold, nor JSON: before 1677 and after 2262.  Who has
    searched for `readline.TIME` says in `stamped` which processes have it: no other memory is read then.
    """
    asked = Asked(
        checkpoint, damaged=damaged, notes=notes, zone=zone, secrets=secrets, far=far, stamped=stamped
    )
    found: list[Event] = []
    lost = 0
    for look in (*LOOKS, *(IN_MEMORY if memory else ())):
        try:
            for event in look(asked):
                found.append(event)
                if len(found) > limits.TIMELINE_EVENTS + limits.TIMELINE_SPARE:
                    lost += cut(found)
        except CryoscopeError as error:
            name = look.__module__.rpartition(".")[2]
            asked.damaged.append(Damaged(f"timeline: {name}", error.message, error.code))
    asked.notes += asked.beyond()
    lost += cut(found)
    if lost:
        asked.notes.append(f"{lost} earlier events were left out")
    return found


def cut(events: list[Event]) -> int:
    """Sorts the events and leaves the last of them; how many it took away."""
    events.sort(key=order)
    extra = max(0, len(events) - limits.TIMELINE_EVENTS)
    del events[:extra]
    return extra


def order(event: Event) -> tuple[Any, ...]:
    """What events are sorted by: equal only for events that are equal."""
    return (
        event.time_ns,
        event.source,
        event.kind,
        event.path or "",
        event.text,
        event.member or "",
        event.pid if event.pid is not None else -1,
    )
