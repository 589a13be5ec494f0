"""CheckpointContainer: the runtime writes the archive itself, into a file that is lent to it.

What it does with `location` (seen with containerd 2.1 and 2.4, CRI-O 1.37): an empty one is answered with OK
and no archive (CRI-O), a relative one lands in the daemon's folder, an existing file is written over, by
containerd without being cut.  So it is always an absolute path of a file that is empty.
The request's `timeout` is ignored by both, so the deadline is the call's.
"""

from __future__ import annotations

import os
import random
import stat
import time
from collections.abc import Iterator
from typing import Any

from cryoscope.engines.cri import nodefiles
from cryoscope.engines.cri.abilities import CRIO, Runtime
from cryoscope.engines.cri.alone import alone
from cryoscope.engines.cri.client import CallFailed, Client
from cryoscope.engines.cri.listing import details
from cryoscope.engines.cri.refusals import refused, row_of
from cryoscope.engines.criu_log import log_named
from cryoscope.engines.freezer import guarded
from cryoscope.engines.host import Host
from cryoscope.engines.port import Captured, CaptureOptions, Container, EngineError, EngineHung, Sink
from cryoscope.errors import Incomplete
from cryoscope.text import escape, readable

TRIES, PAUSE = 4, 1.0
"""How often a checkpoint is tried that met another one, and the seconds between."""
BLOCK = 512
"""A tar is whole blocks and ends with two of zeros (POSIX.1-2017, pax)."""
STOPPING = 30
"""Seconds that a container has to end when it is stopped after its checkpoint."""
AFTERWARDS = {
    True: "CRI-O goes on and may still write the archive where it was told to: look there in a minute",
    False: "containerd gives the checkpoint up: no archive comes, and the container runs on",
}
"""What a runtime does when nobody waits for it any more; the key is whether it is CRI-O."""


def capture(
    client: Client, runtime: Runtime, host: Host, container: Container, options: CaptureOptions, sink: Sink
) -> Captured:
    """Checkpoint a container into `sink`; raises `EngineError`, `EngineHung`, `Incomplete`."""
    status, _ = details(client, container.id)
    with alone(host, container.id, options.timeout), sink.lend(host) as location:
        outside = host.path(location)
        _empty(location, outside)
        started = time.monotonic()
        with guarded(host, container.pid):
            tries = _checkpoint(client, runtime, host, container, location, options.timeout)
        seconds = time.monotonic() - started
        _whole(outside, location, runtime)
    if options.stop:
        _stop(client, container)
    return Captured(
        container=container,
        version=runtime.shown,
        seconds=round(seconds, 3),
        left_out=[*_volumes(status)],
        notes=[f"another checkpoint was going on: tried {tries} times"] if tries > 1 else [],
    )


def _empty(location: str, outside: str) -> None:
    """Refuse a place where anything lies: runtimes write over it, or into it."""
    if not location.startswith("/"):
        raise EngineError(
            f"{escape(readable(location))[:200] or 'nothing'} is no absolute path",
            hint="give -o a whole path, which begins with /",
            code="cri.location",
        )
    try:
        found = os.lstat(outside)
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode) or found.st_size:
        raise EngineError(
            f"{escape(readable(location))} is there already and not empty",
            hint="name a new file: runtimes write over what is there",
            code="cri.location-taken",
        )


def _checkpoint(
    client: Client, runtime: Runtime, host: Host, container: Container, location: str, timeout: float
) -> int:
    """The call itself, again where another checkpoint was going on; returns how often it was made."""
    deadline = time.monotonic() + timeout
    for tried in range(1, TRIES + 1):
        left = max(deadline - time.monotonic(), 0.001)
        try:
            client.call("CheckpointContainer", deadline=left, container_id=container.id, location=location)
            return tried
        except CallFailed as error:
            if tried == TRIES or not _again(error, host.path(location)):
                raise _failed(error, runtime, host, container, timeout) from None
            pause = PAUSE * random.uniform(0.5, 1.5)  # noqa: S311 - two that met do not meet again
            time.sleep(min(pause, max(deadline - time.monotonic(), 0)))
    raise AssertionError  # the last try raises


def _again(error: CallFailed, outside: str) -> bool:
    """Whether it was one of the two known races, and nothing was written."""
    row = row_of(error.said)
    if row is None or row.code != "cri.busy":
        return False
    return not os.path.exists(outside) or os.path.getsize(outside) == 0


def _failed(
    error: CallFailed, runtime: Runtime, host: Host, container: Container, timeout: float
) -> EngineError:
    if error.status == "DEADLINE_EXCEEDED":
        return EngineHung(
            f"{runtime.name} did not answer within {timeout:g} seconds: what became of it is unknown",
            hint=f"{AFTERWARDS[runtime.name == CRIO]}; --timeout gives it longer",
            code="cri.hung",
        )
    named = log_named(error.said)
    return refused(error, nodefiles.log(host, named, container.id) if named else "")


def _whole(outside: str, location: str, runtime: Runtime) -> None:
    """Whether the archive is there to its end; raises `Incomplete`."""
    try:
        with open(outside, "rb") as made:
            size = os.fstat(made.fileno()).st_size
            made.seek(max(size - 2 * BLOCK, 0))
            end = made.read(2 * BLOCK)
    except OSError:
        size, end = 0, b""
    if size == 0:
        raise Incomplete(
            f"{runtime.name} said that it is done, and wrote no archive to {escape(readable(location))}",
            hint="take the checkpoint again; see the log of the runtime",
            code="cri.no-archive",
        )
    if size % BLOCK or end.strip(b"\0") or len(end) < 2 * BLOCK:
        raise Incomplete(
            f"the archive that {runtime.name} wrote ends before its end",
            hint="take the checkpoint again: is there room where it writes?",
            code="cri.archive-truncated",
        )


def _stop(client: Client, container: Container) -> None:
    try:
        client.call("StopContainer", deadline=2 * STOPPING, container_id=container.id, timeout=0)
    except CallFailed as error:
        raise refused(error) from None


def _volumes(status: Any) -> Iterator[str]:
    """Mounts from outside the container: the archive holds nothing of what is in them."""
    for mount in status.mounts:
        yield f"what is in {escape(mount.container_path)[:200]}: a mount of the node"
