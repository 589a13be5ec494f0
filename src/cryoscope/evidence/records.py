"""The records of this room.

Times are ISO 8601 in UTC to the microsecond, digests lower-case hexadecimal, sizes bytes.
"""

from __future__ import annotations

from typing import Any

import msgspec

FRAMES, AGE = "zstd-frames", "age"
"""Forms that stored bytes can have, from the archive outwards; none: byte for byte as they were given."""

KEPT, PRUNING, PRUNED = "kept", "pruning", "pruned"
"""What can be the state of a piece: its bytes are there, are being removed, were removed."""

ACTIONS = (
    "new",
    "capture",
    "add",
    "read",
    "search",
    "reveal",
    "export",
    "verify",
    "hold",
    "release",
    "note",
    "prune",
    "pruned",
    "refused",
)
"""What an entry of a custody log can say; `prune` decides, `pruned` says that the bytes are gone.

`refused` is what no role allowed somebody; its details hold the `action`.
"""


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A record of this room."""


class Stored(Record, frozen=True, kw_only=True, gc=False):
    """How the bytes lie in the store: `forms` from the archive outwards, `size` and `sha256` as stored.

    `index` is the key of a side index of evidence that was compressed already, if it has one, and
    `index_sha256` its digest: who reads by another index would be led astray.
    """

    key: str
    size: int
    sha256: str
    forms: list[str] = []
    recipients: list[str] = []
    index: str | None = None
    index_sha256: str | None = None


class MemberDigest(Record, frozen=True, kw_only=True):
    """A member of the archive; `sha256` of a file's bytes, None for the rest; `offset` in the plain tar."""

    name: str
    type: str
    size: int
    sha256: str | None = None
    offset: int | None = None


class Manifest(Record, frozen=True, kw_only=True):
    """What is known of one piece of evidence when it is sealed: the predicate of its in-toto statement.

    `name`, `size` and `sha256` are of the archive as it was given, `format` as `Archive.form` has it.
    `operator` is who added it on which `host`; `versions` are of tools (`cryoscope`, `criu`, the engine);
    `capture` is what a capture into the case said (`CapturePart`), with the engine's answers and times.
    """

    name: str
    size: int
    sha256: str
    format: str
    added: str
    operator: str
    host: str
    reason: str = ""
    captured: str | None = None
    engine: str | None = None
    container: str | None = None
    container_id: str | None = None
    pod: str | None = None
    namespace: str | None = None
    node: str | None = None
    image: str | None = None
    versions: dict[str, str] = {}
    capture: dict[str, Any] | None = None
    members: list[MemberDigest] = []
    damaged: list[str] = []
    stored: Stored


class Piece(Record, frozen=True, kw_only=True, gc=False):
    """A row of the catalogue; `manifest` is the SHA-256 of the signed manifest, which is a blob, too.

    The garbage collector passes it by, and `Stored`: lists have 100,000 of them, and none is in a ring.
    """

    case: str
    sha256: str
    name: str
    size: int
    format: str
    added: str
    operator: str
    state: str = KEPT
    holds: int = 0
    captured: str | None = None
    engine: str | None = None
    container: str | None = None
    container_id: str | None = None
    pod: str | None = None
    namespace: str | None = None
    node: str | None = None
    image: str | None = None
    manifest: str
    stored: Stored


class Case(Record, frozen=True, kw_only=True):
    """A case: `pieces` and `size` (as stored) count what is kept, `head` is the newest entry's number."""

    name: str
    created: str
    operator: str
    description: str = ""
    pieces: int = 0
    size: int = 0
    head: int = 0
    hold: bool = False


class Draft(Record, frozen=True, kw_only=True):
    """An entry before it has its place in the chain: who does what to which piece (SHA-256), and why."""

    action: str
    operator: str
    host: str
    reason: str = ""
    piece: str | None = None
    details: dict[str, Any] = {}


class Entry(Record, frozen=True, kw_only=True):
    """One entry of a case's custody log; `previous` is the hash of the entry before (64 zeros: the first).

    Of `add` and `capture` the details hold `piece` (a `Piece` without its state, as a mapping).
    """

    case: str
    number: int
    time: str
    action: str
    operator: str
    host: str
    reason: str = ""
    piece: str | None = None
    details: dict[str, Any] = {}
    previous: str


class SignedEntry(Record, frozen=True, kw_only=True):
    """An entry as it is kept: its canonical JSON, the SHA-256 of that, a DSSE signature in base64."""

    body: bytes
    hash: str
    key_id: str
    signature: str


class Head(Record, frozen=True, kw_only=True):
    """The newest entry of a case; number 0 and 64 zeros where there is none."""

    case: str
    number: int = 0
    time: str = ""
    hash: str = "0" * 64


class Problem(Record, frozen=True, kw_only=True):
    """One thing that `verify` found wrong: a stable code, where, what, and what to do about it."""

    code: str
    where: str
    what: str
    cure: str = ""
    piece: str | None = None
    member: str | None = None


def canonical(record: Any) -> bytes:
    """The one JSON of a record: sorted keys, no spaces, UTF-8."""
    return msgspec.json.encode(record, order="sorted")
