"""One checkpoint by a kubelet, in turn with others, and the archive from its node."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Protocol

from cryoscope.engines.kubelet import errors, judging, location, spacing
from cryoscope.engines.kubelet.cases import Case
from cryoscope.engines.kubelet.place import Place
from cryoscope.engines.kubelet.tarwatch import TarWatch
from cryoscope.engines.port import Reach, Record, Sink
from cryoscope.errors import CryoscopeError
from cryoscope.kubeapi.client import Client
from cryoscope.kubeapi.errors import KubeError
from cryoscope.kubeapi.http import Answer

TRIES, BETWEEN = 4, 1.0
"""A race is tried again three times, a second (the names' resolution) apart."""


class Way(Protocol):
    """How a kubelet is reached: `name` begins its codes, `cases` says what its answers mean."""

    name: str
    cases: Sequence[Case]
    needs_address: bool

    def post(self, place: Place, timeout: float) -> Answer:
        """Ask for a checkpoint; raises what connections do (`KubeError`)."""


class Taken(Record, frozen=True, kw_only=True):
    """A checkpoint on its node; `seconds` are those of the call that took it."""

    path: str
    seconds: float
    tries: int


def take(way: Way, place: Place, reach: Reach, timeout: float) -> Taken:
    """Have it taken; raises the kubelet's refusal, or `kubelet.same-name` if it went over another."""
    with spacing.turn(f"{place.node or reach.kubelet} {place}") as turn:
        before = _visible(reach, place, turn.paths)
        taken = _tried(way, place, timeout)
        overwritten = taken.path in turn.paths or taken.path in before
        turn.paths.append(taken.path)
    if overwritten:
        raise errors.SameName(
            f"the kubelet wrote over an archive that was there: {taken.path}",
            hint="it holds parts of two captures: capture again, and take that file away",
        )
    return taken


def _tried(way: Way, place: Place, timeout: float) -> Taken:
    for tries in range(1, TRIES + 1):
        try:
            started = time.monotonic()
            answer = way.post(place, timeout)
            path = judging.path_of(answer, place, way.cases)
            return Taken(path=path, seconds=time.monotonic() - started, tries=tries)
        except KubeError as error:
            raise errors.of_kubelet(error, way.name) from None
        except errors.Race:
            if tries == TRIES:
                raise
            time.sleep(BETWEEN)
    raise AssertionError


def _visible(reach: Reach, place: Place, paths: list[str]) -> set[str]:
    """The archives of a container that lie on this machine: it may be the node."""
    folders = {location.FOLDER, *(os.path.dirname(path) for path in paths)}
    found = set()
    for folder in folders:
        try:
            names = os.listdir(reach.host.path(folder))
        except OSError:
            continue
        found |= {f"{folder}/{name}" for name in names if name.startswith(location.stem(place))}
    return found


def collect(
    reach: Reach, client: Client | None, place: Place, path: str, sink: Sink, how: str
) -> list[str] | None:
    """Bring the archive into `sink`; what was said of it, None if it stays where it is.

    Raises `Truncated`, and what `collect.collect` does.
    """
    if how == "none":
        return None
    from cryoscope.engines.collect import collect as bring

    watch = TarWatch(sink)
    try:
        brought = bring(reach, place.node, path, watch, how, client=client)
    except CryoscopeError:
        reach.say(f"captured: the archive lies on {place.node or 'the node'} at {path}")
        raise
    if watch.wrong:
        raise errors.Truncated(
            f"the archive is truncated: {watch.wrong}",
            hint=f"look at the disk of {place.node or 'the node'}, take {path} away there, and capture again",
        )
    return [f"sha256 {brought.sha256} on the node"] if brought else []
