"""A restore: the archive goes up as the body of a request, and libpod creates the container and starts CRIU.

POST /containers/NAME/restore with `import` (podman pkg/api/handlers/libpod/containers.go).  libpod leaves the
container that it had created where restoring fails: it is removed here, after its log was read.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.engines import escaped
from cryoscope.engines.podman import failure, loopback, tcp_close, unfinished, upload
from cryoscope.engines.podman.answers import Inspected, Report
from cryoscope.engines.podman.client import Answered
from cryoscope.engines.podman.documents import Documents, connections
from cryoscope.engines.podman.restore_concerns import keeps_identity
from cryoscope.engines.podman.sandbox.mounts import stand_ins
from cryoscope.engines.port import EngineError, Restored, RestoreOptions
from cryoscope.engines.readonly import left_writable
from cryoscope.errors import CryoscopeError, Refused

if TYPE_CHECKING:
    from cryoscope.engines.podman.engine import Podman

TAKEN = re.compile(r"(?:name|ID) .* is (?:already )?in use")
"""libpod's words for a container that was there before."""


def restore(engine: Podman, archive: str, checkpoint: Checkpoint, options: RestoreOptions) -> Restored:
    """Let an archive go on; raises `EngineError` with CRIU's own reason, `Refused` for a name in use."""
    documents = Documents(checkpoint)
    if engine.there(options.name):
        raise Refused(
            f"Podman has a container {options.name}", hint="give another --name", code="podman.name-taken"
        )
    closing = options.tcp == "close" and engine.info.runtime == "runc" and connections(checkpoint) > 0
    if closing:
        tcp_close.provide(engine.host)
    started = time.monotonic()
    body = upload.blocks(archive, closing=closing)
    try:
        _send(engine, body, parameters(engine, documents, options), options)
        found = engine.inspected(options.name)
        if not options.live:
            escaped.check(engine.host, found.State.Pid, "podman")
        notes = _loopback(engine, documents, options, found)
        notes += left_writable(checkpoint, [each.destination for each in documents.volumes], options)
    except Answered as error:
        raise _failed(engine, options, error) from None
    except BaseException as error:
        unfinished.take_away(engine, options.name, error)
        raise
    return Restored(
        engine=engine.name,
        id=found.Id,
        name=options.name,
        target=f"podman://{options.name}",
        pid=found.State.Pid or None,
        live=options.live,
        sandbox=[] if options.live else kept_from(documents, options),
        notes=notes,
        remove=f"podman rm --force --volumes {options.name}",
        seconds=time.monotonic() - started,
    )


def parameters(engine: Podman, documents: Documents, options: RestoreOptions) -> dict[str, str]:
    """The query.  Without a name libpod keeps id and addresses, which open connections need."""
    wanted = {
        "import": True,
        "printStats": True,
        "tcpEstablished": options.tcp == "established",
        "tcpClose": options.tcp == "close" and engine.info.runtime != "runc",
        "fileLocks": options.file_locks,
        "ignoreRootFS": options.ignore_rootfs,
        "ignoreVolumes": options.live and options.ignore_volumes,
    }
    query = {key: "true" for key, value in wanted.items() if value}
    if not keeps_identity(documents, options):
        query["name"] = options.name
    if options.publish:
        query["publishPorts"] = " ".join(options.publish)
    if options.pod:
        query["pod"] = options.pod
    return query


def kept_from(documents: Documents, options: RestoreOptions) -> list[str]:
    """What a sandbox is kept from, in short phrases."""
    hosts = len(stand_ins(documents))
    said = ["no network but a loopback of its own", "no devices, hooks, health checks, restarts or ports"]
    said.append(f"nothing of the host: {hosts} of its mounts are empty" if hosts else "nothing of the host")
    if documents.volumes:
        how = "copies" if options.writable_volumes else "read-only copies"
        said.append(f"{len(documents.volumes)} volumes as {how} of its own")
    memory = f"{options.memory / (1 << 20):.0f} MiB of memory"
    return [*said, f"at most {memory}, {options.processes} processes, {options.cpus:g} processors"]


def _send(engine: Podman, body: Iterator[bytes], query: dict[str, str], options: RestoreOptions) -> None:
    path = f"/containers/{options.name}/restore"
    engine.client.post(path, Report, query, body=body, timeout=options.timeout)


def _failed(engine: Podman, options: RestoreOptions, error: Answered) -> EngineError:
    """The reason, and the half container taken away."""
    try:
        found = engine.inspected(options.name)
    except CryoscopeError:
        folder = ""
    else:
        folder = found.StaticDir
    doing = f"Podman cannot restore {options.name}"
    reason = failure.explained(error, engine.host, folder, doing=doing, log="restore.log")
    if not TAKEN.search(error.said):  # else it is somebody else's
        unfinished.take_away(engine, options.name, reason)
    return reason


def _loopback(engine: Podman, documents: Documents, options: RestoreOptions, found: Inspected) -> list[str]:
    """Switch it on where neither libpod nor the runtime did: runc leaves it down, crun and CRIU do not."""
    networked = options.live and documents.has_network
    if networked or "network" in documents.shared_with_host:
        return []
    pid = engine.host.pid(found.State.Pid) if found.State.Pid else None
    problem = loopback.switch_on(pid) if pid else "its process is not seen from here"
    return [f"the loopback is down: {problem}"] if problem else []
