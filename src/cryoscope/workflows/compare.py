"""`compare`: a checkpoint against the container as it runs now.

The live side is read from /proc of the engine's host, which is a moment of its own for each process: what
ends or starts meanwhile is there or is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.engines import connect
from cryoscope.engines.host import Host
from cryoscope.engines.live import files, processes
from cryoscope.engines.live_sockets import sockets
from cryoscope.engines.port import Container, EngineError, Reach
from cryoscope.engines.target import Target
from cryoscope.errors import CryoscopeError
from cryoscope.text import readable
from cryoscope.workflows.documents import Part, damage
from cryoscope.workflows.examine import Answer, Asking, answer
from cryoscope.workflows.live_differences import ASPECTS, Live, LiveDifference
from cryoscope.workflows.masking import Masker
from cryoscope.workflows.open import open_checkpoint

DIFFERENT = 10


class ComparePart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One comparison: `summary` counts the differences of each aspect by their change.

    `processes` and `running` are the numbers of processes then and now; times are RFC 3339.
    """

    target: str
    engine: str
    id: str | None = None
    name: str | None = None
    checkpointed: str | None = None
    processes: int
    running: int
    different: bool
    summary: dict[str, dict[str, int]]
    differences: list[LiveDifference]
    notes: list[str] = []

    def rows(self) -> list[Any]:
        return list(self.differences)


class Comparing(msgspec.Struct, frozen=True, kw_only=True):
    """What to compare (nothing: all of `ASPECTS`), and whether a difference shows in the exit code."""

    only: Sequence[str] = ()
    exit_code: bool = False


def compare(archive: str, target: Target, reach: Reach, comparing: Comparing, asking: Asking) -> Answer:
    """A checkpoint against a container; what cannot be opened or reached is in the answer's failures."""
    progress = asking.progress(archive)
    try:
        with open_checkpoint(
            archive, cache=asking.cache, access=asking.access, stacks=True, progress=progress
        ) as checkpoint:
            engine = connect(target, reach)
            container = engine.find(target.reference)
            host = getattr(engine, "host", reach.host)
            part = compared(archive, checkpoint, container, host, comparing, asking.masker)
            damaged = damage(archive, checkpoint.damaged)
    except CryoscopeError as error:
        return answer("compare", [], [], [(archive, error)])
    found = answer("compare", [part], damaged, [])
    if comparing.exit_code and part.different and not found.exit_code:
        return msgspec.structs.replace(found, exit_code=DIFFERENT)
    return found


def compared(
    archive: str,
    checkpoint: Checkpoint,
    container: Container,
    host: Host,
    comparing: Comparing,
    masker: Masker,
) -> ComparePart:
    """The part of the document; raises `EngineError` for a container of which no process is known."""
    live = live_of(container, host)
    differences = {
        name: [_masked(difference, masker) for difference in find(checkpoint, live)]
        for name, find in ASPECTS.items()
        if not comparing.only or name in comparing.only
    }
    return ComparePart(
        archive=readable(archive),
        target=container.target,
        engine=container.engine,
        id=container.id,
        name=container.name,
        checkpointed=checkpoint.container.checkpointed,
        processes=len(checkpoint.processes),
        running=len(live.processes),
        different=any(differences.values()),
        summary={name: _counts(found) for name, found in differences.items()},
        differences=[difference for found in differences.values() for difference in found],
        notes=_notes(checkpoint, container),
    )


def live_of(container: Container, host: Host) -> Live:
    """A container as it is now; raises `EngineError` where its processes cannot be seen."""
    if container.pid is None:
        raise EngineError(
            f"no process of {readable(container.name or container.id)} can be seen from here",
            hint="is it running? run cryoscope on its node, or give --host",
            code="compare.no-process",
        )
    found = processes(host, container.pid)
    opened = {process.pid: files(process.number) for process in found}
    return Live(processes=found, opened=opened, sockets=sockets(found, opened))


def _notes(checkpoint: Checkpoint, container: Container) -> list[str]:
    """What the two sides have not in common from the start."""
    was = checkpoint.container
    if (
        was.id
        and container.id
        and not container.id.startswith(was.id)
        and not was.id.startswith(container.id)
    ):
        who = readable(f"{was.name or ''} {was.id[:12]}".strip())
        return [f"the checkpoint is of another container: {who}"]
    return []


def _masked(difference: LiveDifference, masker: Masker) -> LiveDifference:
    """A difference without the secrets in its command lines and values."""
    return msgspec.structs.replace(
        difference,
        subject=masker.text(difference.subject),
        then=_value(difference.then, masker),
        now=_value(difference.now, masker),
    )


def _value(value: str | list[str] | None, masker: Masker) -> str | list[str] | None:
    if value is None:
        return None
    return masker.arguments(value) if isinstance(value, list) else masker.text(value)


def _counts(found: Sequence[LiveDifference]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for difference in found:
        counts[difference.change] = counts.get(difference.change, 0) + 1
    return counts
