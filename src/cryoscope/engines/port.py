"""What every engine does, and the records that travel between it and the workflows.

An engine is asked in this order: `find` (which container is it), `concerns` (what stands against it, before
anything is done), `capture` into a `Sink`; or `edits` (what of the archive it needs changed), then `restore`
of the cleaned copy.  Times are seconds, sizes bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from cryoscope.engines.host import Host
from cryoscope.errors import CryoscopeError, Refused, UsageError

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint

HARD, SOFT, NOTE = "hard", "soft", "note"
"""How much a concern weighs: refused; refused unless forced; only told."""

TCP = ("refuse", "established", "close")
"""What becomes of open TCP connections: no checkpoint, they are kept, they are closed."""


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A record of this room."""


class EngineError(CryoscopeError):
    """An engine did not do what it was asked; the message is its own reason in one line."""

    default_code = "engine.failed"


class EngineUnreachable(EngineError):
    default_code = "engine.unreachable"


class NoSuchContainer(EngineError):
    default_code = "target.unknown"


class AmbiguousTarget(UsageError):
    default_code = "target.ambiguous"


class EngineHung(EngineError):
    """An engine did not answer in time; what it did in the meantime is unknown."""

    exit_code = 5
    default_code = "engine.hung"


class Concern(Record, frozen=True, kw_only=True):
    """What stands against a capture or restore; `weight` is HARD, SOFT or NOTE."""

    code: str
    weight: str
    what: str
    cure: str = ""


class PreflightRefused(Refused):
    """Refused before anything started; `concerns` says why, one reason each."""

    default_code = "preflight.refused"

    def __init__(self, concerns: Sequence[Concern]) -> None:
        first = concerns[0]
        more = f" (and {len(concerns) - 1} more)" if len(concerns) > 1 else ""
        super().__init__(first.what + more, hint=first.cure, code=first.code)
        self.concerns = [*concerns]


class Ability(Record, frozen=True, kw_only=True):
    """Whether something can be done, and if not, why not and what to do about it."""

    can: bool
    why: str = ""
    cure: str = ""


class Check(Record, frozen=True, kw_only=True):
    """One thing that `doctor` looked at; `state` is "ok", "warn" or "fail"."""

    code: str
    state: str
    what: str
    cure: str = ""


class Probe(Record, frozen=True, kw_only=True):
    """An engine that was found, and what it can do here."""

    engine: str
    endpoint: str
    version: str = ""
    runtime: str = ""
    capture: Ability
    restore: Ability
    checks: list[Check] = []


class Container(Record, frozen=True, kw_only=True):
    """A container as its engine lists it.

    `target` is the URL that captures it, `pid` is as the engine's host counts, `state` is "created",
    "running", "paused", "exited" or "unknown".
    """

    engine: str
    id: str
    name: str
    state: str
    target: str
    image: str = ""
    pid: int | None = None
    namespace: str | None = None
    pod: str | None = None
    node: str | None = None
    capture: Ability
    restore: Ability


class CaptureOptions(Record, frozen=True, kw_only=True):
    """How to capture.  What an engine has no words for it says in `concerns`, and refuses if it must."""

    stop: bool = False
    tcp: str = "refuse"
    file_locks: bool = False
    ignore_rootfs: bool = False
    ignore_volumes: bool = False
    compression: str = "none"
    pre_checkpoint: bool = False
    with_previous: str | None = None
    timeout: float = 120.0
    fetch: str = "local"


class Captured(Record, frozen=True, kw_only=True):
    """What an engine did.

    `seconds` are the engine's own, `location` is where the engine's own copy lies on its host (None if it
    keeps none), `collected` whether the archive is in the sink, `left_out` what the archive does not hold and
    why, `answers` what the engine said, `statistics` CRIU's times in microseconds and pages.
    """

    container: Container
    version: str = ""
    seconds: float = 0.0
    location: str | None = None
    collected: bool = True
    left_out: list[str] = []
    notes: list[str] = []
    answers: list[str] = []
    statistics: dict[str, int] = {}


class Sink(Protocol):
    """Where a capture goes: a file on this machine, named incomplete until the workflow has verified it."""

    path: str

    def write(self, block: bytes | memoryview) -> None:
        """Append; hashed on the way."""

    def lend(self, host: Host) -> AbstractContextManager[str]:
        """A path on `host` that an engine writes the archive to itself; hashed while it grows."""


class RestoreOptions(Record, frozen=True, kw_only=True):
    """How to restore: `live` leaves the sandbox; `memory` (bytes), `processes` and `cpus` bound a sandbox.

    Copies of volumes in a sandbox are read-only unless `writable_volumes`.
    """

    name: str
    live: bool = False
    tcp: str = "close"
    file_locks: bool = True
    ignore_rootfs: bool = False
    ignore_volumes: bool = False
    publish: list[str] = []
    pod: str | None = None
    image: str | None = None
    memory: int = 2 << 30
    processes: int = 1024
    cpus: float = 1.0
    writable_volumes: bool = False
    timeout: float = 120.0


class Restored(Record, frozen=True, kw_only=True):
    """A container that goes on: `pid` as the engine's host counts; `sandbox` says what it is kept from."""

    engine: str
    id: str
    name: str
    target: str
    pid: int | None = None
    live: bool = False
    sandbox: list[str] = []
    notes: list[str] = []
    remove: str = ""
    seconds: float = 0.0


Edit = Callable[[bytes], bytes]
"""A change of one member of an archive: its bytes, the new ones."""


class Edits(Record, frozen=True, kw_only=True):
    """What an engine needs changed in the copy that it gets.

    `change` has edits of members by name, `drop` members to leave out, `add` new members with their bytes;
    `keep` has tests of the entries of a tar in the archive, by its member: one that any of them is false of
    is left out.  `before` has bytes that go in front of a member's own (after its other edits), `rename` new
    names of members; both may be of any size in the archive and are not read whole.
    """

    change: dict[str, list[Any]] = {}
    drop: list[str] = []
    add: dict[str, bytes] = {}
    keep: dict[str, list[Any]] = {}
    before: dict[str, bytes] = {}
    rename: dict[str, str] = {}


class Engine(Protocol):
    """An engine that was found; its methods raise `EngineError`s with a stable code and a cure."""

    name: str

    def close(self) -> None:
        """Give back its connections; it can be asked again after that."""

    def probe(self) -> Probe:
        """What it is and can do here; never raises for an engine that does not answer, but says so."""

    def list(self) -> list[Container]:
        """Its containers; raises `EngineUnreachable`."""

    def find(self, reference: str | None) -> Container:
        """The container of a name or of an id's first digits.

        Raises `NoSuchContainer`, `AmbiguousTarget`.
        """

    def concerns(self, container: Container, options: CaptureOptions) -> Sequence[Concern]:
        """What stands against capturing it so, and what will not be in the archive."""

    def capture(self, container: Container, options: CaptureOptions, sink: Sink) -> Captured:
        """Checkpoint it, into `sink`; it goes on running unless `options.stop`."""

    def restore_concerns(self, checkpoint: Checkpoint, options: RestoreOptions) -> Sequence[Concern]:
        """What stands against restoring it here."""

    def edits(self, checkpoint: Checkpoint, options: RestoreOptions) -> Edits:
        """What must be changed in the copy that `restore` gets, for the sandbox or for this engine."""

    def restore(self, archive: str, checkpoint: Checkpoint, options: RestoreOptions) -> Restored:
        """Let `archive` (a plain tar, cleaned) go on; `checkpoint` is the original, to read."""


class Reach(msgspec.Struct, kw_only=True):
    """How engines are reached: through which host, and what the user said of addresses and credentials.

    `endpoint` is a socket or address that replaces the usual one; the rest is for Kubernetes, as kubectl has
    it, with `reader_…` for the pod that collects an archive (engines/collect); `say` tells the user a line.
    """

    host: Host
    endpoint: str | None = None
    kubeconfig: str | None = None
    context: str | None = None
    kubelet: str | None = None
    token_file: str | None = None
    certificate: str | None = None
    key: str | None = None
    authority: str | None = None
    insecure: bool = False
    reader_namespace: str = "cryoscope"
    reader_image: str | None = None
    reader_token_file: str | None = None
    say: Callable[[str], None] = lambda _line: None


def matching(containers: Sequence[Container], reference: str, *, engine: str) -> Container:
    """The container of a name, an id, or the first digits of an id (alerts give twelve)."""
    named = [each for each in containers if reference in (each.name, each.id)]
    found = named or [each for each in containers if len(reference) >= 3 and each.id.startswith(reference)]
    if not found:
        raise NoSuchContainer(
            f"{engine} has no container {reference}", hint="cryoscope targets lists what can be captured here"
        )
    if len({each.id for each in found}) > 1:
        names = ", ".join(f"{each.name} ({each.id[:12]})" for each in found[:5])
        raise AmbiguousTarget(f"{reference} could be {names}", hint="give more digits of the id")
    return found[0]


def hard(concerns: Sequence[Concern], *, force: bool) -> list[Concern]:
    """Those that keep anything from starting; `force` goes past the soft ones."""
    against = (HARD,) if force else (HARD, SOFT)
    return [each for each in concerns if each.weight in against]
