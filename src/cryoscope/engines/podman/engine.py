"""One service of Podman behind the port."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from cryoscope import limits
from cryoscope.engines.podman import capture, concerns, listing
from cryoscope.engines.podman.answers import Image, Info, Inspected, Listed, VolumeFound
from cryoscope.engines.podman.client import Answered, Client
from cryoscope.engines.port import (
    Ability,
    Captured,
    CaptureOptions,
    Check,
    Concern,
    Container,
    Edits,
    EngineError,
    NoSuchContainer,
    Probe,
    Reach,
    Restored,
    RestoreOptions,
    Sink,
    matching,
)
from cryoscope.errors import CryoscopeError
from cryoscope.text import escape

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint


T = TypeVar("T")


class Podman:
    """The service on `socket`, as its host names it."""

    name = "podman"

    def __init__(self, socket: str, reach: Reach) -> None:
        self.socket = socket
        self.reach = reach
        self.host = reach.host

    @cached_property
    def client(self) -> Client:
        """HTTP to the service."""
        return Client(self.host.path(self.socket), shown=self.socket)

    @cached_property
    def info(self) -> Info:
        """What the service says of itself; raises `EngineUnreachable`."""
        return self.client.get("/info", Info)

    def close(self) -> None:
        """Each question has a connection of its own."""

    def probe(self) -> Probe:
        """What it is and can do here."""
        endpoint = f"unix://{self.socket}"
        try:
            info = self.info
        except CryoscopeError as error:
            no = Ability(can=False, why=error.message, cure=error.hint)
            check = Check(code=error.code, state="fail", what=error.message, cure=error.hint)
            return Probe(engine=self.name, endpoint=endpoint, capture=no, restore=no, checks=[check])
        return Probe(
            engine=self.name,
            endpoint=endpoint,
            version=escape(info.version.Version),
            runtime=escape(info.runtime),
            capture=listing.capturing(info),
            restore=listing.restoring(info),
            checks=_checks(info),
        )

    def list(self) -> list[Container]:
        """Its containers, pods' own ones too."""
        rows = self.client.get("/containers/json", list[Listed], all="true")
        if len(rows) > limits.PODMAN_CONTAINERS:
            raise EngineError(f"Podman lists {len(rows)} containers", code="podman.answer")
        return [listing.container_of(row, self.info) for row in rows]

    def find(self, reference: str | None) -> Container:
        """The container of a name or of an id's first digits."""
        if reference is None:
            raise NoSuchContainer("podman:// needs a container", hint="podman://NAME")
        return matching(self.list(), reference, engine=self.name)

    def inspected(self, reference: str) -> Inspected:
        """All that the service says of a container; raises `NoSuchContainer`."""
        return self.client.get(f"/containers/{reference}/json", Inspected)

    def there(self, reference: str) -> bool:
        """Whether a container of that name or id exists."""
        try:
            self.inspected(reference)
        except NoSuchContainer:
            return False
        return True

    def image_id(self, reference: str) -> str:
        """The id of a local image, by its id or name; empty if it is not here."""
        found = self._asked(f"/images/{quote(reference, safe='')}/json", Image) if reference else None
        return found.Id if found else ""

    def has_volume(self, name: str) -> bool:
        """Whether a named volume is here."""
        return (
            self._asked(f"/volumes/{quote(name, safe='')}/json", VolumeFound) is not None if name else False
        )

    def _asked(self, path: str, kind: type[T]) -> T | None:
        """What is there, or None."""
        try:
            return self.client.get(path, kind)
        except Answered as error:
            if error.status == 404:
                return None
            raise

    def concerns(self, container: Container, options: CaptureOptions) -> Sequence[Concern]:
        """What stands against capturing it so, and what will not be in the archive."""
        return list(concerns.all_of(self, container, options))

    def capture(self, container: Container, options: CaptureOptions, sink: Sink) -> Captured:
        """Checkpoint it into `sink`; raises `EngineError`, `Incomplete`."""
        return capture.capture(self, container, options, sink)

    def restore_concerns(self, checkpoint: Checkpoint, options: RestoreOptions) -> Sequence[Concern]:
        """What stands against restoring it here."""
        from cryoscope.engines.podman import restore_concerns  # vetting: a capture needs nothing of it

        return list(restore_concerns.all_of(self, checkpoint, options))

    def edits(self, checkpoint: Checkpoint, options: RestoreOptions) -> Edits:
        """What the copy must say instead, for the sandbox or against libpod's errors."""
        from cryoscope.engines.podman import sandbox  # vetting: a capture needs nothing of it

        return sandbox.edits(self, checkpoint, options)

    def restore(self, archive: str, checkpoint: Checkpoint, options: RestoreOptions) -> Restored:
        """Let the copy go on; raises `EngineError`, and leaves nothing behind then."""
        from cryoscope.engines.podman import restore  # vetting: a capture needs nothing of it

        return restore.restore(self, archive, checkpoint, options)


def _checks(info: Info) -> list[Check]:
    ability = listing.capturing(info)
    state = "ok" if ability.can else "fail"
    what = ability.why or f"the runtime {escape(info.runtime)} checkpoints and restores"
    return [Check(code="podman.runtime", state=state, what=what, cure=ability.cure)]
