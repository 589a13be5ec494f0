"""One runtime behind the port: containerd or CRI-O, over the socket that its kubelet uses."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from cryoscope.engines.cri import images, listing
from cryoscope.engines.cri.abilities import Runtime, capturing, restoring, runtime_of
from cryoscope.engines.cri.capture import capture
from cryoscope.engines.cri.client import CallFailed, Client
from cryoscope.engines.cri.concerns import concerns
from cryoscope.engines.cri.refusals import refused
from cryoscope.engines.port import (
    Ability,
    Captured,
    CaptureOptions,
    Check,
    Concern,
    Container,
    Edits,
    NoSuchContainer,
    Probe,
    Reach,
    Restored,
    RestoreOptions,
    Sink,
)
from cryoscope.errors import CryoscopeError
from cryoscope.text import escape

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint


class Cri:
    """The runtime that listens on `socket`, as its host names it."""

    name = "cri"

    def __init__(self, socket: str, reach: Reach) -> None:
        self.socket, self.host = socket, reach.host
        self.client = Client(reach.host.path(socket), socket)
        self._reading = threading.Lock()

    @cached_property
    def runtime(self) -> Runtime:
        """Who answers, and what it says of itself; raises `EngineUnreachable`, `EngineError`."""
        try:
            version = self.client.call("Version", version="v1")
        except CallFailed as error:
            raise refused(error) from None
        return runtime_of(version, self._status, self.host)

    @cached_property
    def _status(self) -> Any:
        try:
            return self.client.call("Status", verbose=True)
        except CallFailed as error:
            raise refused(error) from None

    def probe(self) -> Probe:
        """What it is and can do here."""
        try:
            runtime = self.runtime
            checks = self._checks()
        except CryoscopeError as error:
            no = Ability(can=False, why=error.message, cure=error.hint)
            check = Check(code=error.code, state="fail", what=error.message, cure=error.hint)
            return Probe(engine=self.name, endpoint=self.socket, capture=no, restore=no, checks=[check])
        return Probe(
            engine=self.name,
            endpoint=self.socket,
            version=runtime.version,
            runtime=runtime.name,
            capture=capturing(runtime),
            restore=restoring(runtime),
            checks=checks,
        )

    def _checks(self) -> list[Check]:
        """What the runtime itself says of its state."""
        return [
            Check(
                code="cri." + escape(each.type)[:60],
                state="ok" if each.status else "warn",
                what=escape(each.message or each.reason or each.type)[:300],
                cure="" if each.status else "see the log of the runtime",
            )
            for each in self._status.status.conditions
        ]

    def list(self) -> list[Container]:
        """Its containers, those that ended included."""
        runtime = self.runtime
        return listing.containers(self.client, runtime.name, capturing(runtime), restoring(runtime))

    def find(self, reference: str | None) -> Container:
        """The container of a name or of an id's first digits, with its process."""
        if reference is None:
            raise NoSuchContainer("no container is named", hint="cri://containerd/ID", code="target.unknown")
        found = listing.find(self.list(), reference, self.runtime.name)
        _, info = listing.details(self.client, found.id)
        return msgspec.structs.replace(found, pid=listing.pid_of(info))

    def concerns(self, container: Container, options: CaptureOptions) -> Sequence[Concern]:
        """What stands against capturing it so, and what will not be in the archive."""
        status, _ = listing.details(self.client, container.id)
        return [*concerns(self.runtime, self.host, container, options, status)]

    def capture(self, container: Container, options: CaptureOptions, sink: Sink) -> Captured:
        """Checkpoint it, into `sink`; raises `EngineError`, `EngineHung`, `Incomplete`."""
        return capture(self.client, self.runtime, self.host, container, options, sink)

    def restore_concerns(self, checkpoint: Checkpoint, options: RestoreOptions) -> Sequence[Concern]:
        """What stands against restoring it here."""
        from cryoscope.engines.cri.restore_concerns import concerns

        return [*concerns(self.client, self.runtime, self.host, checkpoint, options)]

    def edits(self, checkpoint: Checkpoint, options: RestoreOptions) -> Edits:
        """The base image by a name that this runtime can use."""
        recorded = checkpoint.container.image_id or ""
        base = images.base(self.client, self.runtime, recorded, options.image)
        if base.reference is None:
            return Edits()
        return Edits(change={"config.dump": [images.naming(base.reference)]})

    def restore(self, archive: str, checkpoint: Checkpoint, options: RestoreOptions) -> Restored:
        """Let `archive` go on: a plain tar, or the name of a checkpoint image, which is taken as it is.

        Raises `EngineError`; may be called by several threads with one checkpoint.
        """
        from cryoscope.engines.cri.restore import known, restore

        with self._reading:
            found = known(checkpoint)
        return restore(self.client, self.runtime, self.host, archive, found, options)

    def close(self) -> None:
        """End the connection."""
        self.client.close()
