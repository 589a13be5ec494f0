"""What stands against a capture by Podman, and what its archive will not hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cryoscope.engines import stopped
from cryoscope.engines.podman import compress, listing
from cryoscope.engines.podman.answers import Inspected
from cryoscope.engines.podman.soft_dirty import tracks_writes
from cryoscope.engines.port import HARD, NOTE, SOFT, CaptureOptions, Concern, Container
from cryoscope.text import escape

if TYPE_CHECKING:
    from cryoscope.engines.podman.engine import Podman

LOGGED = ("k8s-file", "json-file")
"""Log drivers whose file Podman packs (libpod/container_internal_common.go, `exportCheckpoint`)."""


def all_of(engine: Podman, container: Container, options: CaptureOptions) -> Iterator[Concern]:
    """All of them, those of the service before those of the container."""
    compress.packer(options.compression)
    ability = listing.capturing(engine.info)
    if not ability.can:
        yield Concern(code="podman.runtime", weight=HARD, what=ability.why, cure=ability.cure)
    elif not container.capture.can:
        cure = container.capture.cure
        what = f"{container.name} cannot be captured: {container.capture.why}"
        yield Concern(code=f"podman.{_state(container)}", weight=HARD, what=what, cure=cure)
    found = engine.inspected(container.id)
    yield from _steps(options)
    yield from _dependencies(found)
    yield from _left_out(found)
    yield from _stopping(found, options)
    yield from _frozen(engine, container, found)


def _state(container: Container) -> str:
    return "paused" if container.state == "paused" else "not-running"


def _steps(options: CaptureOptions) -> Iterator[Concern]:
    wanted = options.pre_checkpoint or options.with_previous is not None
    if wanted and not tracks_writes():
        yield Concern(
            code="podman.soft-dirty",
            weight=HARD,
            what="this kernel does not tell which pages were written, so there is no dump in steps",
            cure="capture in one step; or use a kernel with CONFIG_MEM_SOFT_DIRTY",
        )


def _dependencies(found: Inspected) -> Iterator[Concern]:
    if found.Dependencies and not found.Pod:
        yield Concern(
            code="podman.dependencies",
            weight=HARD,
            what="it uses a namespace of another container, and Podman exports none of those",
            cure="capture that container's processes with pid://, as root",
        )


def _left_out(found: Inspected) -> Iterator[Concern]:
    binds = [mount.Destination for mount in found.Mounts or [] if mount.Type == "bind"]
    if binds:
        named = ", ".join(escape(path) for path in binds[:5])
        yield Concern(
            code="podman.binds",
            weight=NOTE,
            what=f"folders and files of the host are not in the archive: {named}",
            cure="copy them yourself if they matter",
        )
    if found.HostConfig.LogConfig.Type not in LOGGED:
        yield Concern(
            code="podman.log",
            weight=NOTE,
            what=f"its log ({escape(found.HostConfig.LogConfig.Type) or 'no file'}) is not in the archive",
            cure="--with logs adds it",
        )


def _stopping(found: Inspected, options: CaptureOptions) -> Iterator[Concern]:
    if options.stop and found.HostConfig.AutoRemove:
        yield Concern(
            code="podman.auto-remove",
            weight=SOFT,
            what="it was started with --rm: Podman removes it, its volumes and its dump when it stops",
            cure="leave it running",
        )


def _frozen(engine: Podman, container: Container, found: Inspected) -> Iterator[Concern]:
    """runc has CRIU freeze the cgroup, and in cgroup v1 that waits for ever for stopped processes."""
    pid = engine.host.pid(container.pid) if container.pid and found.OCIRuntime == "runc" else None
    names = stopped.stopped_below_freezer(pid) if pid else []
    if names:
        yield Concern(
            code="podman.stopped-processes",
            weight=SOFT,
            what=f"stopped processes, for which runc's freezer may wait without end: {', '.join(names[:5])}",
            cure="continue them first (kill -CONT), or write THAWED to freezer.state if it hangs",
        )
