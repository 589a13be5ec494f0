"""Letting a checkpoint go on: read it, look before, clean it, restore the cleaned copy.

    open -> trusted? -> concerns of engine, host and vetting (refused: exit code 4) -> clean copy -> restore

The sandbox is the default.  No engine ever sees the archive itself: it gets a copy in which nothing is left
that the sandbox's policy forbids, or nothing.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from cryoscope.checkpoint.complete import missing_from
from cryoscope.engines import connect
from cryoscope.engines.host import Host, scratch_in
from cryoscope.engines.port import (
    HARD,
    Concern,
    Edits,
    Engine,
    PreflightRefused,
    Reach,
    Restored,
    RestoreOptions,
    hard,
)
from cryoscope.engines.preflight import restore_concerns
from cryoscope.engines.target import RUNTIMES, Target
from cryoscope.engines.vetting import Claim, Policy, clean_copy, kernel_of, vet
from cryoscope.errors import CryoscopeError, Damaged, Refused, UsageError
from cryoscope.text import readable
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, Failure, answer
from cryoscope.workflows.open import open_checkpoint
from cryoscope.workflows.together import reasons, together

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint
    from cryoscope.workflows.open import Progress
    from cryoscope.workflows.restore_kubernetes import InCluster

DISPOSABLE = "/etc/cryoscope/disposable-host"
"""A file that marks a machine as one that may be lost: archives of strangers may be restored on it."""
WARNING = "a sandbox on a shared kernel is no boundary against an exploit of the kernel"
TO = ("podman", "docker", "cri", "containerd", "crio", "criu", "k8s")
COPIES = 64
"""Copies of one archive that are restored by one command."""


class RestorePart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one archive: the containers that go on, what was told before, and what was cleaned.

    `manifests` are the objects of Kubernetes in which it goes on, in the order of their making.
    """

    engine: str
    live: bool = False
    dry_run: bool = False
    restored: list[Restored] = []
    concerns: list[Concern] = []
    cleaned: list[Claim] = []
    warnings: list[str] = []
    manifests: list[dict[str, Any]] = []
    seconds: float = 0.0


class Restoring(msgspec.Struct, kw_only=True):
    """How to restore: the engine's options, how many copies, and what the user takes upon himself.

    `mounts` are folders or files of the engine's host by the place of the mount, for a live restore.
    """

    options: RestoreOptions
    to: str
    copies: int = 1
    force: bool = False
    trust_archive: bool = False
    dry_run: bool = False
    scratch: str | None = None
    mounts: Mapping[str, str] = {}
    cluster: InCluster | None = None
    progress: Callable[[str], Progress | None] = lambda _target: None


def restore(archive: str, reach: Reach, restoring: Restoring) -> Answer:
    """Let `archive` go on; what keeps it from that is in the answer's failures."""
    started = time.monotonic()
    try:
        with open_checkpoint(archive, progress=restoring.progress(archive)) as checkpoint:
            part, failures = _restore(archive, checkpoint, reach, restoring)
    except CryoscopeError as error:
        return answer("restore", [], [], [(archive, each) for each in reasons(error)])
    part = msgspec.structs.replace(part, seconds=round(time.monotonic() - started, 3))
    return answer("restore", [part], [], failures)


def _restore(
    archive: str, checkpoint: Checkpoint, reach: Reach, restoring: Restoring
) -> tuple[RestorePart, list[Failure]]:
    if restoring.to == "k8s":
        from cryoscope.workflows.restore_kubernetes import restore_kubernetes

        return restore_kubernetes(archive, checkpoint, reach, restoring)
    if not restoring.dry_run:
        trusted(restoring, reach.host, archive)
    with closing(connect(_target(restoring.to), reach)) as engine:
        return _onto(archive, checkpoint, engine, reach, restoring)


def _onto(
    archive: str, checkpoint: Checkpoint, engine: Engine, reach: Reach, restoring: Restoring
) -> tuple[RestorePart, list[Failure]]:
    options = restoring.options
    go_on([cut(damaged) for damaged in missing_from(checkpoint)], restoring)
    before = [
        *engine.restore_concerns(checkpoint, options),
        *restore_concerns(checkpoint, reach.host, options),
    ]
    go_on(before, restoring)
    mounts = _mounts(checkpoint, restoring)
    policy = Policy(engine=engine.name, live=options.live, mounts=mounts, kernel=kernel_of(reach.host))
    verdict = vet(checkpoint, policy, engine.edits(checkpoint, options))
    claimed = [_concern(claim) for claim in verdict.claims if not claim.cleaned]
    concerns = [*dict.fromkeys([*before, *claimed])]
    go_on(concerns, restoring)
    cleaned = [claim for claim in verdict.claims if claim.cleaned]
    part = RestorePart(
        archive=readable(archive),
        engine=engine.name,
        live=options.live,
        dry_run=restoring.dry_run,
        concerns=concerns,
        cleaned=cleaned,
        warnings=[] if options.live else [WARNING],
    )
    if restoring.dry_run:
        return part, []
    restored, failures = _copies(archive, checkpoint, engine, restoring, verdict.edits)
    return msgspec.structs.replace(part, restored=restored), failures


def _mounts(checkpoint: Checkpoint, restoring: Restoring) -> dict[str, str]:
    """What is mounted where, as the user declares it; raises `UsageError` where that cannot be."""
    if restoring.mounts and (restoring.to != "podman" or not restoring.options.live):
        raise UsageError(
            "only a live restore to Podman takes folders of the host",
            hint="leave --mount out: a sandbox has copies, other engines make their containers anew",
            code="restore.option",
        )
    there = {mount.destination for mount in checkpoint.container.mounts}
    for place, source in restoring.mounts.items():
        if place not in there or not source.startswith("/") or os.path.normpath(source) != source:
            raise UsageError(
                f"{readable(source)[:100]} cannot be mounted at {readable(place)[:100]}",
                hint="a whole path of the host, at a mount of the container: cryoscope mounts lists them",
                code="restore.mount",
            )
    return dict(restoring.mounts)


def cut(damaged: Damaged) -> Concern:
    """What an archive lacks of a whole checkpoint; an engine would find out half-way."""
    return Concern(
        code=damaged.code,
        weight=HARD,
        what=f"{damaged.part}: {damaged.problem}",
        cure="restore a whole archive: this one was cut short or damaged",
    )


def _concern(claim: Claim) -> Concern:
    return Concern(code=claim.code, weight=claim.weight, what=claim.what, cure=claim.cure)


def go_on(concerns: Sequence[Concern], restoring: Restoring) -> None:
    against = hard(concerns, force=restoring.force)
    if against:
        raise PreflightRefused(against)


def trusted(restoring: Restoring, host: Host | None, archive: str) -> None:
    """A trusted key vouches for it, the user trusts it, or does not mind what becomes of the machine.

    A cluster's nodes are on no `host`.
    """
    if restoring.trust_archive or (host is not None and os.path.exists(host.path(DISPOSABLE))):
        return
    from cryoscope.workflows.vouched import vouched

    if vouched(archive):
        return
    raise Refused(
        "restoring runs a stranger's processes, and no trusted key signed this archive",
        hint=f"if you trust it: --trust-archive; on a machine that may be lost: touch {DISPOSABLE}",
        code="restore.untrusted",
    )


def _target(to: str) -> Target:
    """The engine that a restore goes to, as a target without a container."""
    if to not in TO:
        raise UsageError(
            f"nothing restores to {readable(to)}", hint=f"one of {', '.join(TO)}", code="restore.engine"
        )
    if to in RUNTIMES:
        return Target(scheme="cri", runtime=to)
    return Target(scheme="pid" if to == "criu" else to)


def _copies(
    archive: str, checkpoint: Checkpoint, engine: Engine, restoring: Restoring, edits: Edits
) -> tuple[list[Restored], list[Failure]]:
    """All copies at once, of one cleaned archive."""
    with clean(checkpoint, edits, restoring.scratch) as copy:
        return together(
            [
                (archive, partial(engine.restore, copy, checkpoint, each))
                for each in numbered(restoring.options, restoring.copies)
            ]
        )


def numbered(options: RestoreOptions, copies: int) -> list[RestoreOptions]:
    """Options for each copy: NAME, or NAME-1, NAME-2 … if there are several."""
    if copies == 1:
        return [options]
    return [msgspec.structs.replace(options, name=f"{options.name}-{i}") for i in range(1, copies + 1)]


@contextmanager
def clean(checkpoint: Checkpoint, edits: Edits, scratch: str | None) -> Iterator[str]:
    """The copy of an archive that an engine gets, as a plain tar; taken away at the end."""
    base = scratch or tempfile.gettempdir()
    if not os.access(base, os.W_OK | os.X_OK):
        raise _no_room(f"{base} is no folder that you may write to", base)
    with scratch_in(base) as folder:
        path = os.path.join(folder, "checkpoint.tar")
        _write(checkpoint, edits, path)
        yield path


def _write(checkpoint: Checkpoint, edits: Edits, path: str) -> None:
    try:
        with open(path, "xb") as to:
            clean_copy(checkpoint.archive, edits, to)
    except OSError as error:
        raise _no_room(str(error.strerror), path) from None


def _no_room(why: str, place: str) -> CryoscopeError:
    return CryoscopeError(
        f"the cleaned copy cannot be written to {place}: {why}",
        hint="name a folder with room for the whole archive: --scratch DIR",
        code="restore.scratch",
    )
