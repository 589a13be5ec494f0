"""A checkpoint, streamed from the service into the sink: nothing is kept in memory but a block.

POST /containers/NAME/checkpoint (podman pkg/api/handlers/libpod/containers.go): with `export` the answer is
the archive, without a report; so CRIU's statistics are read out of the archive as they go by.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from cryoscope.checkpoint.statistics import statistics_of
from cryoscope.engines.podman import compress, failure
from cryoscope.engines.podman.client import Answered
from cryoscope.engines.podman.overtaking import Overtaking
from cryoscope.engines.podman.stream import Stream
from cryoscope.engines.port import Captured, CaptureOptions, Container, EngineError, Sink
from cryoscope.errors import CryoscopeError, Incomplete
from cryoscope.text import escape

if TYPE_CHECKING:
    from cryoscope.engines.podman.engine import Podman


def capture(engine: Podman, container: Container, options: CaptureOptions, sink: Sink) -> Captured:
    """Checkpoint a container; raises `EngineError` with CRIU's reason, `Incomplete` for half of it."""
    stream = Stream(without_volumes=options.ignore_volumes)
    packer = compress.packer(options.compression)
    path = f"/containers/{container.id}/checkpoint"
    started = time.monotonic()
    take = partial(_take, stream, packer, sink)
    try:
        with (
            Overtaking(engine.client.path, container.id, take) as overtaking,
            engine.client.download(
                path, parameters(options), timeout=options.timeout, begun=lambda: overtaking.head != b""
            ) as blocks,
        ):
            seconds = time.monotonic() - started
            _rest(overtaking.finish(), blocks, take)
        stream.finish()
        if last := packer.flush():
            sink.write(last)
    except Answered as error:
        explained = _explained(engine, container, error)
        _still_kept(engine, container, options, explained)
        raise explained from None
    except CryoscopeError as error:
        _still_kept(engine, container, options, error)
        raise
    return Captured(
        container=container,
        version=escape(engine.info.version.Version),
        seconds=seconds,
        left_out=[f"{name} (volumes were not wanted)" for name in map(escape, stream.left_out)],
        notes=_notes(stream, options),
        statistics=_statistics(stream.statistics),
    )


def parameters(options: CaptureOptions) -> dict[str, str]:
    """The query; TCP connections that shall be closed are in the dump, and closed when it is restored."""
    return {
        "export": "true",
        "printStats": "true",
        "leaveRunning": _said(not options.stop),
        "tcpEstablished": _said(options.tcp != "refuse"),
        "fileLocks": _said(options.file_locks),
        "ignoreRootFS": _said(options.ignore_rootfs),
        "preCheckpoint": _said(options.pre_checkpoint),
        "withPrevious": _said(options.with_previous is not None),
    }


def _take(stream: Stream, packer: compress.Packer, sink: Sink, block: bytes) -> None:
    for part in stream.feed(block):
        if packed := packer.compress(part):
            sink.write(packed)


def _rest(taken: bytes, blocks: Iterator[bytes], take: Callable[[bytes], None]) -> None:
    """All of the answer, or, where its file was read already, whether it was that file."""
    if not taken:
        for block in blocks:
            take(block)
        return
    first = next(blocks, b"")
    length = min(len(first), len(taken))
    if not first or first[:length] != taken[:length]:
        raise Incomplete(
            "Podman exported something else at the same time, and that was read",
            hint="capture again; one at a time if it happens twice",
            code="podman.overtaken",
        )


def _still_kept(engine: Podman, container: Container, options: CaptureOptions, error: CryoscopeError) -> None:
    """Where the dump of a container that was stopped is: libpod leaves it in the container's folder."""
    if not options.stop:
        return
    try:
        found = engine.inspected(container.id)
    except CryoscopeError:
        line = f"if it has ended, podman container restore {container.id[:12]} lets it go on"
    else:
        folder = f"{escape(found.StaticDir)}/checkpoint"
        line = f"its dump is in {folder}: podman container restore {container.id[:12]} lets it go on"
        line = "" if found.State.Status == "running" else line
    error.hint = "; ".join(filter(None, (error.hint, line)))


def _explained(engine: Podman, container: Container, error: Answered) -> EngineError:
    try:
        folder = engine.inspected(container.id).StaticDir
    except CryoscopeError:
        folder = ""
    doing = f"Podman cannot capture {container.name}"
    return failure.explained(error, engine.host, folder, doing=doing, log="dump.log")


def _notes(stream: Stream, options: CaptureOptions) -> list[str]:
    notes = []
    if options.tcp == "close":
        notes.append("open TCP connections are in the archive and are closed when it is restored")
    if stream.stale:
        first = ", ".join(escape(name) for name in stream.stale[:3])
        count = len(stream.stale)
        notes.append(f"{count} files of an earlier checkpoint, which Podman had left, are in it too: {first}")
    return notes


def _statistics(image: bytes) -> dict[str, int]:
    try:
        found = statistics_of(image, "stats-dump")
    except CryoscopeError:
        return {}
    values = {field: getattr(found, field) for field in found.__struct_fields__}
    return {field: value for field, value in values.items() if value is not None}


def _said(wanted: bool) -> str:
    return "true" if wanted else "false"
