"""What a source of a timeline is given, and where it says what it left out."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, tzinfo
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import Damaged
from cryoscope.examine.timeline.moments import BITS_63, FIRST, LAST, iso, parse, written
from cryoscope.examine.timeline.records import Event, Moment
from cryoscope.text import readable

if TYPE_CHECKING:
    from cryoscope.examine.secrets import Finding

UTC_NAMES = ("", "UTC", "UTC0", "Etc/UTC", "GMT", "GMT0", "Etc/GMT", "Zulu", "Universal", "Etc/UCT")


class Asked:
    """A checkpoint of which a timeline is made.

    `zone` is that of logs that do not say theirs: by default the container's, if that is UTC.  What could not
    be read goes to `damaged`, what was left out to `notes`; `secrets` have been looked for before, `stamped`
    are the processes in which a search has found times of a shell.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        damaged: list[Damaged] | None = None,
        notes: list[str] | None = None,
        zone: tzinfo | None = None,
        secrets: Sequence[Finding] = (),
        far: bool = False,
        stamped: Collection[int] | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.damaged = damaged if damaged is not None else []
        self.notes = notes if notes is not None else []
        self.secrets = secrets
        self.stamped = stamped
        self._span = (FIRST, LAST) if far else (-BITS_63, BITS_63)
        self._zone = zone
        self._beyond: dict[str, int] = {}

    @cached_property
    def moment(self) -> Moment | None:
        """When the checkpoint was made, to the second: what times left or gone by are counted from."""
        found = parse(self.checkpoint.container.checkpointed)
        if found is None:
            inventory = self.checkpoint.archive.members.get(self.checkpoint.prefix + "inventory.img")
            found = written(inventory.mtime_ns) if inventory is not None and inventory.mtime_ns else None
        return None if found is None else Moment(found.ns, "s", "moment")

    @cached_property
    def zone(self) -> tzinfo | None:
        """The zone of times that do not say theirs; None if it is not known."""
        if self._zone is not None:
            return self._zone
        names = {name.removeprefix(":") for name in self._zones()}
        return UTC if all(name in UTC_NAMES for name in names) else None

    def _zones(self) -> set[str]:
        """What TZ is in the environments that the container's processes were started with."""
        process = self.checkpoint.container.process
        found = {entry[3:] for entry in (process.env if process else []) if entry.startswith("TZ=")}
        for one in self.checkpoint.processes[: limits.TIMELINE_ZONES]:
            variables = self.checkpoint.environment(one.pid) or []
            found |= {variable.value or "" for variable in variables if variable.name == "TZ"}
        return found

    def event(
        self,
        moment: Moment | None,
        source: str,
        kind: str,
        text: str,
        *,
        member: str | None = None,
        **more: Any,
    ) -> list[Event]:
        """The event, if there is a moment, and in a year that is wanted."""
        if moment is None:
            return []
        if not self._span[0] <= moment.ns <= self._span[1]:
            self._beyond[source] = self._beyond.get(source, 0) + 1
            return []
        text, member = readable(text), readable(member) if member is not None else None
        if len(text) > limits.TIMELINE_TEXT:
            text = text[: limits.TIMELINE_TEXT] + "…"
        event = Event(
            time_ns=moment.ns,
            source=source,
            kind=kind,
            text=text,
            precision=moment.precision,
            assumed=moment.assumed,
            member=member,
            **more,
        )
        return [event]

    def last(self, events: Iterable[Event], most: int, what: str) -> list[Event]:
        """The last events of many, at most so many; how many are left out is noted."""
        kept: deque[Event] = deque(maxlen=max(0, most))
        count = 0
        for event in events:
            kept.append(event)
            count += 1
        if count > len(kept):
            self.notes.append(f"{what}: the first {count - len(kept)} lines are left out")
        return list(kept)

    def beyond(self) -> list[str]:
        """Which sources had times outside of those years."""
        first, last = (iso(moment)[:4] for moment in self._span)
        return [
            f"{source}: {count} times outside of the years {first} to {last} are left out"
            for source, count in self._beyond.items()
        ]
