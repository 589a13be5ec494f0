"""`timeline`: what happened when, as far as a checkpoint tells; secrets in what it says are masked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Any

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.keep import StackEnds
from cryoscope.errors import Damaged, UsageError
from cryoscope.examine.timeline import Event, iso, timeline_of
from cryoscope.examine.timeline.moments import BITS_63, FIRST, LAST
from cryoscope.examine.timeline.sources import SOURCES
from cryoscope.examine.timeline.sources.secrets import RULES
from cryoscope.examine.timeline.sources.secrets import SOURCE as SECRET
from cryoscope.examine.timeline.span import span
from cryoscope.text import readable
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, Asking, answer, each
from cryoscope.workflows.masking import KeyLines, Masker
from cryoscope.workflows.open import Progress, open_at

INCOMPLETE = 5
OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)", re.ASCII)


class TimelineEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An `Event` in a document: `time` is RFC 3339 in UTC, with as many digits as are known.

    `time_ns` is null where nanoseconds since 1970 need more than 63 bits: before 1677 and after 2262.
    """

    time: str
    time_ns: int | None
    precision: str
    source: str
    kind: str
    text: str
    assumed: str | None = None
    pid: int | None = None
    comm: str | None = None
    path: str | None = None
    path_base64: str | None = None
    member: str | None = None
    size: int | None = None
    mode: str | None = None
    uid: int | None = None
    gid: int | None = None


class TimelinePart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `timeline`; `host` is the container's host name, or else its name.

    `notes` says what was left out, `complete` is false where the search for tokens was interrupted.
    """

    host: str | None
    events: list[TimelineEvent]
    notes: list[str] = []
    complete: bool = True

    def rows(self) -> list[Any]:
        return list(self.events)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which events: from which sources, whose kind has one of these words, and when (nanoseconds).

    Without `memory` no process's memory is read; `zone` is that of log lines which do not say theirs.
    """

    sources: Sequence[str] = ()
    kinds: Sequence[str] = ()
    first: int = FIRST
    last: int = LAST
    memory: bool = True
    zone: tzinfo | None = None

    def has(self, event: Event) -> bool:
        """Whether an event is wanted."""
        return (
            self.first <= event.time_ns <= self.last
            and (not self.sources or event.source in self.sources)
            and (not self.kinds or any(kind in event.kind for kind in self.kinds))
        )

    @property
    def secrets(self) -> bool:
        """Whether tokens and keys are looked for."""
        return self.memory and (not self.sources or SECRET in self.sources)


def wanted_of(
    *,
    since: str | None = None,
    until: str | None = None,
    sources: Sequence[str] = (),
    kinds: Sequence[str] = (),
    memory: bool = True,
    zone: str | None = None,
) -> Wanted:
    """What is wanted, from what a user wrote; raises UsageError for what makes no sense."""
    unknown = [name for name in sources if name not in SOURCES]
    if unknown:
        hint = f"there are: {', '.join(SOURCES)}"
        raise UsageError(f"there is no source {unknown[0]}", hint=hint, code="timeline.source")
    known = zone_of(zone) if zone else None
    first, last = span(since, until, known)
    kinds = [kind.lower() for kind in kinds]
    return Wanted(sources=sources, kinds=kinds, first=first, last=last, memory=memory, zone=known)


def zone_of(name: str) -> tzinfo:
    """The zone of a name (`Europe/Berlin`) or an offset (`+05:30`); raises UsageError if there is none."""
    from zoneinfo import ZoneInfo

    offset = OFFSET.fullmatch(name)
    if offset is not None and int(offset[2]) < 24 and int(offset[3]) < 60:
        east = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        return timezone(east if offset[1] == "+" else -east)
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        hint = "write a name such as Europe/Berlin, or an offset such as +05:30"
        raise UsageError(f"there is no zone {name}", hint=hint, code="timeline.zone") from None


def timelines_of(targets: Sequence[str], wanted: Wanted, asking: Asking) -> Answer:
    """The timeline of each target; a scan that is interrupted ends with exit code 5 and what was found."""
    stopped = False

    def read(target: str) -> tuple[TimelinePart, list[Damaged]]:
        nonlocal stopped
        if stopped:
            return TimelinePart(archive=readable(target), host=None, events=[], complete=False), []
        part, damaged = _one(target, wanted, asking)
        stopped = not part.complete
        return part, damaged

    found = answer("timeline", *each(targets, read))
    return msgspec.structs.replace(found, exit_code=INCOMPLETE) if stopped else found


def _one(target: str, wanted: Wanted, asking: Asking) -> tuple[TimelinePart, list[Damaged]]:
    progress, damaged, notes = asking.progress(target), list[Damaged](), list[str]()
    tap = _scan() if wanted.secrets else None
    with open_at(
        target, cache=asking.cache, access=asking.access, keep=StackEnds(), progress=progress, tap=tap
    ) as archive:
        checkpoint = Checkpoint(archive)
        secrets: list[Any] = []
        complete = True
        if tap is not None:
            secrets, complete = _secrets(checkpoint, tap, damaged, notes, progress)
        events = timeline_of(
            checkpoint,
            damaged=damaged,
            notes=notes,
            zone=wanted.zone,
            memory=wanted.memory,
            secrets=secrets,
            far=True,
        )
        container = checkpoint.container
        part = TimelinePart(
            archive=readable(target),
            host=container.hostname or container.name,
            events=list(events_of(events, asking.masker, wanted.has)),
            notes=[readable(note) for note in notes],
            complete=complete,
        )
        return part, list(dict.fromkeys([*checkpoint.damaged, *damaged]))


def _scan() -> Any:
    from cryoscope.examine.secrets import BY_ID, secret_scan

    return secret_scan([BY_ID[rule] for rule in RULES])


def _secrets(
    checkpoint: Checkpoint, tap: Any, damaged: list[Damaged], notes: list[str], progress: Progress | None
) -> tuple[list[Any], bool]:
    from cryoscope.examine.secrets import BY_ID, find_secrets

    rules = [BY_ID[rule] for rule in RULES]
    found = find_secrets(checkpoint, rules=rules, tap=tap, damaged=damaged, progress=progress)
    notes += found.notes
    return found.findings, found.complete


IN_LINES = ("log", "logfile")
"""Sources whose events are the lines of one text."""


def events_of(
    events: Iterable[Event], masker: Masker, has: Callable[[Event], bool] = lambda _: True
) -> Iterator[TimelineEvent]:
    """The events that are wanted, for a document; a key may begin in the line of one that is not."""
    keys: dict[tuple[str | None, ...], KeyLines] = {}
    for event in events:
        taken = 0
        if event.source in IN_LINES:
            text = (event.source, event.kind, event.member, event.path)
            taken = keys.setdefault(text, KeyLines()).taken(event.text)
        if has(event):
            yield event_of(masked(event, masker, taken))


def masked(event: Event, masker: Masker, taken: int = 0) -> Event:
    """An event without secrets in its text, `taken` characters of which are inside a private key.

    In commands also `--password VALUE` is masked.
    """
    words = event.text
    if event.kind == "command typed":
        words = " ".join(masker.arguments(words.split(" ")))
    text = masker.line(words, taken)
    return event if text == event.text else msgspec.structs.replace(event, text=text)


def event_of(event: Event) -> TimelineEvent:
    """The record of an event for a document."""
    return TimelineEvent(
        time=iso(event.time_ns, event.precision),
        time_ns=event.time_ns if abs(event.time_ns) <= BITS_63 else None,
        precision=event.precision,
        source=event.source,
        kind=event.kind,
        text=readable(event.text),
        assumed=event.assumed,
        pid=event.pid,
        comm=event.comm,
        path=event.path,
        path_base64=event.path_base64,
        member=readable(event.member) if event.member is not None else None,
        size=event.size,
        mode=event.mode,
        uid=event.uid,
        gid=event.gid,
    )
