"""What a store is made of: blobs, a catalogue, a signer, each with several homes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from cryoscope.checkpoint.archive import ByteSource
from cryoscope.errors import CryoscopeError, UsageError
from cryoscope.evidence.records import Case, Entry, Head, Piece, Record, SignedEntry


class EvidenceError(CryoscopeError):
    """A store did not do what it was asked."""

    default_code = "evidence.failed"


class BlobExists(EvidenceError):
    """A blob of that name is there: blobs are written once."""

    default_code = "evidence.blob-exists"


class BlobMissing(EvidenceError):
    default_code = "evidence.blob-missing"


class NoSuchCase(EvidenceError):
    default_code = "case.unknown"


class NoSuchPiece(EvidenceError):
    default_code = "case.piece-unknown"


class AmbiguousPiece(UsageError):
    default_code = "case.piece-ambiguous"


class Upload(Protocol):
    """A blob that is being written; nothing of it can be seen before `commit`."""

    def write(self, block: bytes | memoryview) -> None:
        """Append."""

    def commit(self, key: str) -> None:
        """Make it a blob, durable when this returns; raises `BlobExists`."""


class Blobs(Protocol):
    """Bytes by key (`a/b-c.d`, no `..`), written once."""

    url: str

    def upload(self) -> AbstractContextManager[Upload]:
        """A new blob; left without `commit`, nothing stays."""

    def source(self, key: str) -> ByteSource:
        """The bytes of a blob, to be read by range; raises `BlobMissing`."""

    def size(self, key: str) -> int | None:
        """Bytes of a blob, None if there is none."""

    def delete(self, key: str) -> None:
        """Remove a blob; that there is none is no error."""

    def keys(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """Keys under a prefix, with sizes."""

    def sweep(self, older: float) -> list[str]:
        """Take away what uploads left that ended more than `older` seconds ago without a commit."""

    def free(self) -> int | None:
        """Bytes that there is room for, None where nobody knows (S3)."""


class Filter(Record, frozen=True, kw_only=True):
    """Which pieces: all that is given must hold; texts are equal, times compare as texts."""

    case: str | None = None
    sha256: str | None = None
    state: str | None = None
    engine: str | None = None
    container: str | None = None
    pod: str | None = None
    namespace: str | None = None
    node: str | None = None
    image: str | None = None
    added_from: str | None = None
    added_to: str | None = None
    held: bool | None = None
    limit: int | None = None


Sign = Callable[[Head], SignedEntry]
"""Given the head, the next entry of the chain; called inside the transaction that appends it."""


class Catalogue(Protocol):
    """Cases, pieces and custody logs; several processes may use one at once."""

    url: str

    def append(self, case: str, sign: Sign) -> Entry:
        """Lock the case, sign the next entry, store it and project it, in one transaction.

        `new` makes the case, `capture` and `add` a piece, `hold` and `release` count, `prune` and `pruned`
        set the state.  Raises `NoSuchCase`, `NoSuchPiece`, `EvidenceError` (`case.exists`,
        `case.piece-exists`).
        """

    def cases(self) -> list[Case]:
        """All cases by name."""

    def told(self) -> list[str]:
        """Names of all cases that the log or a piece tells of, also where no row of theirs is left."""

    def case(self, name: str) -> Case:
        """One case; raises `NoSuchCase`."""

    def pieces(self, wanted: Filter) -> list[Piece]:
        """Pieces, newest first."""

    def piece(self, case: str, reference: str) -> Piece:
        """By SHA-256, its first digits (four at least) or its name.

        Raises `NoSuchPiece`, `AmbiguousPiece`.
        """

    def head(self, case: str) -> Head:
        """The newest entry; raises `NoSuchCase`."""

    def entries(self, case: str, *, after: int = 0) -> Iterator[SignedEntry]:
        """The log from its start, or behind an entry."""

    def snapshot(self, case: str) -> tuple[Case, dict[str, Piece]]:
        """The rows of a case at one moment, pieces by SHA-256; raises `NoSuchCase`."""

    def close(self) -> None: ...


class Signer(Protocol):
    """A private key outside the store."""

    key_id: str

    def sign(self, payload_type: str, payload: bytes) -> str:
        """A DSSE signature (over its pre-authentication encoding), base64."""


class Trust(Protocol):
    """Public keys that count."""

    @property
    def key_ids(self) -> list[str]:
        """The ids of all of them."""

    def public(self, key: str) -> bytes | None:
        """One of them in PEM, by its id."""

    def verify(self, key_id: str, signature: str, payload_type: str, payload: bytes) -> str | None:
        """None if it holds, else what is wrong: `evidence.signer-unknown`, `evidence.signature`."""
