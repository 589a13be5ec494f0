"""What a piece is called, where its blobs lie, and how a manifest becomes its row in the catalogue."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Any

import msgspec

from cryoscope.errors import UsageError
from cryoscope.evidence.records import AGE, FRAMES, Manifest, Piece, Record
from cryoscope.evidence.statement import manifest_key

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
NAME_LENGTH = 64
"""Names of cases are parts of keys, of folders and of `case://` addresses."""
FOLDER = "cases/"
"""Where the blobs of cases lie; `FOLDER`CASE/SHA256.TIME-RANDOM.tar and what belongs to that."""
KEY = re.compile(r"cases/(?P<case>[^/]+)/(?P<sha256>[0-9a-f]{64})\.(?P<time>\d{8}T\d{6})-[0-9a-f]{8}\b.*")
ENDINGS = {FRAMES: ".zst", AGE: ".age"}
INDEX = ".index"


class Facts(Record, frozen=True, kw_only=True):
    """What is known of an archive beside its bytes; the fields are those of `Manifest`."""

    name: str
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
    damaged: list[str] = []


class Added(Record, frozen=True, kw_only=True):
    """What became of an `add`: `new` is false where the case had that archive already."""

    piece: Piece
    new: bool
    entry: int = 0


class Swept(Record, frozen=True, kw_only=True):
    """What a `sweep` finished or took away: pieces by case and SHA-256, blobs and uploads by key."""

    pruned: list[str] = []
    orphans: list[str] = []
    uploads: list[str] = []


def check_name(name: str) -> None:
    """Whether a case can have that name; raises `UsageError`."""
    if len(name) > NAME_LENGTH or not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a case",
            hint=f"letters, digits, '-', '_' and single dots, {NAME_LENGTH} at most",
            code="case.name",
        )


def new_key(case: str, sha256: str, forms: Sequence[str], now: str) -> str:
    """A key that no blob has had, with the time by which an orphan's age is told."""
    ending = "".join(ENDINGS.get(form, "") for form in forms)
    return f"{FOLDER}{case}/{sha256}.{stamp(now)}-{secrets.token_hex(4)}.tar{ending}"


def stamp(time: str) -> str:
    """A time to the second as keys have it."""
    return time[:19].replace("-", "").replace(":", "")


def began(key: str) -> str:
    """The time in the key of a blob; "9" for keys that are not of this store's making, which stay."""
    found = KEY.fullmatch(key)
    return found["time"] if found else "9"


def keys_of(piece: Piece) -> set[str]:
    """The keys of all blobs of a piece."""
    found = {piece.stored.key, manifest_key(piece.manifest)}
    return found | {piece.stored.index} if piece.stored.index else found


def own_keys(piece: Piece) -> str:
    """What the keys of a piece's bytes start with: no other case's are read or taken away in its name."""
    return f"{FOLDER}{piece.case}/{piece.sha256}."


def piece_of(case: str, manifest: Manifest, digest: str) -> Piece:
    """The row of the catalogue that a manifest makes, whose envelope has that SHA-256."""
    shared = {name: getattr(manifest, name) for name in Piece.__struct_fields__ if hasattr(manifest, name)}
    return Piece(**shared, case=case, manifest=digest)


def described(piece: Piece) -> dict[str, Any]:
    """A piece as the details of its entry have it: without what changes later."""
    found: dict[str, Any] = msgspec.to_builtins(piece)
    return {name: value for name, value in found.items() if name not in ("state", "holds")}
