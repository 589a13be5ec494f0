"""Docker, as every engine is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.engines.docker import checkpoints, concerns, listing, probing, restoring
from cryoscope.engines.docker.capture import Capture
from cryoscope.engines.docker.daemon import Daemon
from cryoscope.engines.docker.original import original_of
from cryoscope.engines.docker.places import Places
from cryoscope.engines.docker.restore import Restore, opened
from cryoscope.engines.host import Host
from cryoscope.engines.port import (
    HARD,
    Captured,
    CaptureOptions,
    Concern,
    Container,
    Edits,
    EngineError,
    PreflightRefused,
    Probe,
    Restored,
    RestoreOptions,
    Sink,
    matching,
)
from cryoscope.errors import CryoscopeError


class Docker:
    """The daemon behind a socket of a host."""

    name = listing.NAME

    def __init__(self, host: Host, socket: str) -> None:
        self.host, self._socket = host, socket
        self._found: Daemon | None = None

    @property
    def _daemon(self) -> Daemon:
        if self._found is None:
            self._found = Daemon(self.host.path(self._socket), self._socket)
        return self._found

    def close(self) -> None:
        """Give back the connection."""
        if self._found is not None:
            self._found.close()
            self._found = None

    def _info(self) -> Any:
        return self._daemon.ask("GET", "/info")

    def _places(self) -> Places:
        return Places(self.host, self._info())

    def probe(self) -> Probe:
        """What it is and can do here; one that does not answer says why."""
        try:
            return probing.probe_of(
                self.host, self._socket, self._daemon.ask("GET", "/version"), self._info()
            )
        except CryoscopeError as error:
            return probing.silent(self._socket, error.message, error.hint)

    def list(self) -> list[Container]:
        """Its containers, those that do not run as well; raises `EngineUnreachable`."""
        found = self._daemon.ask("GET", "/containers/json", all="1") or []
        able = self.probe().capture
        return [listing.container_of(each, able) for each in found]

    def find(self, reference: str | None) -> Container:
        """The container of a name or of an id's first digits; raises `NoSuchContainer`, `AmbiguousTarget`."""
        container = matching(self.list(), reference or "", engine=self.name)
        return listing.inspected(container, self._inspect(container))

    def _inspect(self, container: Container) -> Any:
        return self._daemon.ask("GET", f"/containers/{container.id}/json")

    def concerns(self, container: Container, options: CaptureOptions) -> Sequence[Concern]:
        """What stands against capturing it, and what will not be in the archive."""
        found = [*concerns.of_daemon(self.probe().checks)]
        if found:
            return found
        kept = checkpoints.names(self._daemon, container.id)
        inspect = self._inspect(container)
        return [*concerns.of_capture(self.host, self._places(), inspect, kept, options)]

    def capture(self, container: Container, options: CaptureOptions, sink: Sink) -> Captured:
        """Checkpoint it and write the archive that docker does not make into `sink`."""
        return Capture(self._daemon, self._places(), container, options).run(sink)

    def restore_concerns(self, checkpoint: Checkpoint, options: RestoreOptions) -> Sequence[Concern]:
        """What stands against restoring it here."""
        found = [*concerns.of_daemon(self.probe().checks)]
        return found or [*restoring.of_restore(checkpoint, self._daemon, self.host, options)]

    def edits(self, checkpoint: Checkpoint, options: RestoreOptions) -> Edits:
        """Volumes of a sandbox read-only; what CRIU must know of its network is put beside it (netns.py)."""
        if options.live or options.writable_volumes:
            return Edits()
        from cryoscope.engines import readonly  # vetting: a capture needs nothing of it

        return readonly.read_only(checkpoint, readonly.volumes_of(checkpoint))

    def restore(self, archive: str, checkpoint: Checkpoint, options: RestoreOptions) -> Restored:
        """Let the cleaned copy go on in a new container; raises what keeps it from that."""
        with Checkpoint(opened(archive)) as clean:
            original = original_of(clean, self._daemon)
            image = restoring.image_of(self._daemon, original.old, options)[0] if original else None
            if original is None or image is None:
                raise self._against(clean, options)
            return Restore(self._daemon, self.host, self._places(), clean, options).run(original, image)

    def _against(self, clean: Checkpoint, options: RestoreOptions) -> CryoscopeError:
        """Why there are no settings or no image for a copy; what is only told is no reason."""
        found = restoring.of_restore(clean, self._daemon, self.host, options)
        against = [each for each in found if each.weight == HARD]
        if against:
            return PreflightRefused(against)
        return EngineError(
            "docker no longer has the image that it had a moment ago",
            hint="docker pull it, or docker load it, and restore again",
            code="docker.image-missing",
        )
