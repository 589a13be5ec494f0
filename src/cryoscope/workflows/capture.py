"""Taking checkpoints: look before, capture into an incomplete file, verify, name it.

    find -> concerns (refused: exit code 4) -> engine.capture into a Sink -> is it whole? -> its name

Containers of one pod are captured together, each by a thread of its own.  A container goes on running unless
`stop` was asked for.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import msgspec

from cryoscope.engines import connect
from cryoscope.engines.freezer import release, release_late, start_of
from cryoscope.engines.port import (
    HARD,
    Captured,
    CaptureOptions,
    Concern,
    Container,
    Engine,
    EngineHung,
    EngineUnreachable,
    PreflightRefused,
    Reach,
    hard,
)
from cryoscope.engines.target import Target
from cryoscope.errors import CryoscopeError, Incomplete, UsageError
from cryoscope.text import readable
from cryoscope.workflows.capture_case import check_budget, into_case, prepared
from cryoscope.workflows.companions import check_kinds, save_companions
from cryoscope.workflows.concerns import concerns_of, host_of
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, Failure, answer
from cryoscope.workflows.sink import Sink
from cryoscope.workflows.together import AT_ONCE, together

if TYPE_CHECKING:
    from cryoscope.checkpoint.overview import Overview
    from cryoscope.workflows.open import Progress

LOOKING = ("cryoscope.engines.preflight",)
"""What is imported only to look at a container before its capture."""
VERIFYING = (
    "numpy",
    "google.protobuf.descriptor_pool",
    "cryoscope.checkpoint.complete",
    "cryoscope.checkpoint.criu.pagemap_columns",
    "cryoscope.workflows.open",
)
"""What is imported only to verify an archive: a sixth of a second together."""
GONE = (EngineUnreachable, EngineHung, Incomplete)
"""Errors of an engine that may have died, and have left a request behind that is yet to be done."""
NOT_FOR_NAMES = re.compile(r"[^A-Za-z0-9_.-]+")


class CapturePart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one capture; `archive` is the file, "" if none was collected.

    `size` is in bytes, `seconds` is the whole of it, `engine_seconds` the engine's share; `location` is where
    the engine's own copy lies on its host; `processes` and `memory` (bytes) are what the archive holds;
    `evidence` is its address in a case.
    """

    target: str
    container: Container
    engine: str
    version: str = ""
    started: str = ""
    seconds: float = 0.0
    engine_seconds: float = 0.0
    complete: bool = False
    collected: bool = True
    size: int | None = None
    sha256: str | None = None
    location: str | None = None
    processes: int | None = None
    memory: int | None = None
    concerns: list[Concern] = []
    left_out: list[str] = []
    notes: list[str] = []
    answers: list[str] = []
    statistics: dict[str, int] = {}
    companions: str | None = None
    evidence: str | None = None


class Taking(msgspec.Struct, kw_only=True):
    """How to capture: the engine's options, where to, and what else.

    `output` is a file, or a folder if it is one or ends with a slash; None for a name of its own here.
    `case` is one that the archive is added to, for a `reason`; with `passing` the file goes when it is there.
    """

    options: CaptureOptions
    output: str | None = None
    all_containers: bool = False
    force: bool = False
    companions: tuple[str, ...] = ()
    case: str | None = None
    reason: str = ""
    passing: bool = False
    progress: Callable[[str], Progress | None] = lambda _target: None


def capture(target: Target, reach: Reach, taking: Taking) -> Answer:
    """Capture what `target` names; each container is a part of the answer."""
    _sensible(target, taking)
    _ahead(LOOKING)
    taking = prepared(taking)
    with closing(connect(target, reach)) as engine:
        return _captures(engine, target, taking)


def _sensible(target: Target, taking: Taking) -> None:
    """Whether the options go together; raises `UsageError`."""
    check_kinds(taking.companions)
    if taking.output == "-":
        raise UsageError(
            "an archive is verified before it has a name, and a pipe has none",
            hint="name a file with -o, and read that",
            code="capture.output",
        )
    if taking.options.fetch != "local" and target.scheme != "k8s":
        raise UsageError(
            "--fetch is for archives on a cluster's nodes",
            hint=f"leave it out: {target.scheme}:// writes the archive where -o says",
            code="capture.fetch",
        )
    if taking.options.fetch == "none" and (taking.output is not None or taking.companions):
        raise UsageError(
            "nothing is collected with --fetch none", hint="leave -o and --with out", code="capture.fetch"
        )


def _captures(engine: Engine, target: Target, taking: Taking) -> Answer:
    containers = _containers(engine, target, taking)
    if len(containers) > 1 and taking.output is not None and not _is_folder(taking.output):
        raise UsageError(
            f"{len(containers)} containers do not go into one file",
            hint="give -o DIR/",
            code="capture.output",
        )
    parts, failures = _together(engine, containers, taking)
    return _answer(parts, failures)


def _containers(engine: Engine, target: Target, taking: Taking) -> list[Container]:
    """The containers to capture: the one named, or with `all_containers` those of its pod that run."""
    if not taking.all_containers:
        return [engine.find(target.reference)]
    if target.scheme != "k8s":
        raise UsageError("--all-containers is for pods", hint="k8s://NAMESPACE/POD", code="capture.pod")
    running = [each for each in engine.list() if each.state == "running"]
    if not running:
        raise CryoscopeError(
            f"nothing runs in {target}", hint="kubectl get pod shows why", code="capture.nothing"
        )
    return running


def _together(
    engine: Engine, containers: Sequence[Container], taking: Taking
) -> tuple[list[CapturePart], list[Failure]]:
    """All captures, started at the same moment."""
    start = threading.Barrier(min(len(containers), AT_ONCE))
    return together(
        [(each.target, partial(_one, engine, each, taking, _waiter(start))) for each in containers]
    )


def _waiter(start: threading.Barrier) -> Callable[[], None]:
    """Waits for the others for a moment; whoever was refused does not keep them waiting for long."""

    def wait() -> None:
        try:
            start.wait(2.0)
        except threading.BrokenBarrierError:
            return

    return wait


def _one(engine: Engine, container: Container, taking: Taking, ready: Callable[[], None]) -> CapturePart:
    """One container, from the concerns to the name of its file."""
    concerns = concerns_of(engine, container, taking.options, _folder(taking))
    against = hard(concerns, force=taking.force)
    if against:
        raise PreflightRefused(against)
    check_budget(engine, container, _folder(taking), taking.case)
    started = time.time()
    _ahead(VERIFYING)
    ready()
    if taking.options.fetch == "none":
        return _part(container, _uncollected(engine, container, taking), concerns, started)
    name = file_name(container, taking.output, started)
    with Sink(name, taking.progress(container.target)) as sink:
        with _thawed(engine, container):
            captured = engine.capture(container, taking.options, sink)
        part = _part(container, captured, concerns, started, sink)
        if not captured.collected:
            return part
        return into_case(_beside(engine, _verified(part, sink), taking), sink.name, taking)


def _ahead(names: Sequence[str]) -> None:
    """Import what is needed next while the engine works or answers, so that nobody waits for it."""
    threading.Thread(target=lambda: [import_module(name) for name in names], daemon=True).start()


def _folder(taking: Taking) -> str:
    """Where the archive will lie."""
    output = taking.output or "."
    return output if _is_folder(output) else os.path.dirname(os.path.abspath(output))


@contextmanager
def _thawed(engine: Engine, container: Container) -> Iterator[None]:
    """An engine that fails in the middle may thaw nothing: a container that ran goes on all the same."""
    host = host_of(engine)
    if host is None or container.pid is None or container.state != "running":
        yield
        return
    started = start_of(host, container.pid)
    try:
        yield
    except BaseException as error:
        thaw = release_late if isinstance(error, GONE) else release
        thaw(host, container.pid, started)
        raise


class _Nowhere:
    """The sink of a capture that is not collected."""

    path = os.devnull

    def write(self, block: bytes | memoryview) -> None:
        raise AssertionError("nothing is collected")

    lend = None


def _uncollected(engine: Engine, container: Container, taking: Taking) -> Captured:
    return engine.capture(container, taking.options, _Nowhere())  # type: ignore[arg-type]


def _part(
    container: Container,
    captured: Captured,
    concerns: Sequence[Concern],
    started: float,
    sink: Sink | None = None,
) -> CapturePart:
    return CapturePart(
        archive=readable(sink.path) if sink is not None and captured.collected else "",
        target=container.target,
        container=captured.container,
        engine=container.engine,
        version=captured.version,
        started=moment(started),
        seconds=round(time.time() - started, 3),
        engine_seconds=round(captured.seconds, 3),
        collected=captured.collected,
        size=sink.size if sink is not None and captured.collected else None,
        sha256=sink.digest() if sink is not None and captured.collected else None,
        location=captured.location,
        concerns=[each for each in concerns if each.weight != HARD],
        left_out=captured.left_out,
        notes=captured.notes,
        answers=captured.answers,
        statistics=captured.statistics,
    )


def _verified(part: CapturePart, sink: Sink) -> CapturePart:
    """The capture with what its archive holds, which has its name now; raises `Incomplete`."""
    overview = verified(sink)
    held = {"processes": overview.processes, "memory": overview.memory_size, "complete": True}
    return msgspec.structs.replace(part, archive=readable(sink.name), **held)


def verified(sink: Sink) -> Overview:
    """Name the archive as it should be if it is whole; raises `Incomplete` with what is missing."""
    from cryoscope.checkpoint.complete import missing_from
    from cryoscope.workflows.open import open_checkpoint

    try:
        with open_checkpoint(sink.path) as checkpoint:
            missing = [*missing_from(checkpoint)]
            overview = checkpoint.overview
    except CryoscopeError as error:
        raise _incomplete(sink.path, error.message) from None
    if missing:
        raise _incomplete(sink.path, f"{missing[0].part}: {missing[0].problem}")
    sink.finish()
    return overview


def _beside(engine: Engine, part: CapturePart, taking: Taking) -> CapturePart:
    """What is saved next to the archive; that it cannot be is told, and takes nothing back."""
    if not taking.companions:
        return part
    archive = part.archive
    try:
        folder, manifest = save_companions(
            engine, part.container, taking.companions, archive, sha256=part.sha256
        )
    except CryoscopeError as error:
        return msgspec.structs.replace(part, notes=[*part.notes, f"nothing is beside it: {error.message}"])
    missing = [
        f"{each.kind} is not beside it: {each.why}" + (f" ({each.cure})" if each.cure else "")
        for each in manifest.missing
    ]
    return msgspec.structs.replace(part, companions=readable(folder), notes=[*part.notes, *missing])


def _incomplete(path: str, problem: str) -> Incomplete:
    return Incomplete(
        f"the archive is not whole: {problem}",
        hint=f"what there is of it is {readable(path)}; capture again",
        code="capture.incomplete",
    )


def _answer(parts: list[CapturePart], failures: list[Failure]) -> Answer:
    found = answer("capture", [*parts], [], failures)
    if failures or all(part.complete for part in parts):
        return found
    return msgspec.structs.replace(found, exit_code=Incomplete.exit_code)


def file_name(container: Container, output: str | None, now: float) -> str:
    """The file that a capture goes into: `output`, or a name of its own in that folder or here.

    `checkpoint-NAME-20261122T101500Z.tar`, with pod and namespace before the name where there are any.
    """
    if output is not None and not _is_folder(output):
        return output
    who = "-".join(filter(None, (container.pod, container.namespace, container.name or container.id[:12])))
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    name = f"checkpoint-{NOT_FOR_NAMES.sub('_', who)[:120]}-{stamp}.tar"
    if output is None:
        return name
    os.makedirs(output, mode=0o700, exist_ok=True)
    return os.path.join(output, name)


def _is_folder(path: str) -> bool:
    return path.endswith("/") or os.path.isdir(path)


def moment(seconds: float) -> str:
    """A time as ISO 8601 in UTC, to the millisecond."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03}Z"
