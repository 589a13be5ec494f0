"""The manifest of a piece of evidence as an in-toto Statement v1, signed.

in-toto/attestation, spec/v1: subjects are what the statement is of (by digest), the predicate what it says.
Here the first subject is the archive as it was given, the second, where it differs, the bytes in the store.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from cryoscope.evidence import dsse
from cryoscope.evidence.ports import Signer, Trust
from cryoscope.evidence.records import Manifest, Record, canonical

TYPE = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:cryoscope:evidence:1"
MEDIA = "application/vnd.in-toto+json"
FOLDER = "manifests/"
STATEMENT = "evidence.statement"


class Subject(msgspec.Struct, frozen=True):
    """What a statement is of."""

    name: str
    digest: dict[str, str]


class Statement(msgspec.Struct, frozen=True, rename={"kind": "_type", "predicate_type": "predicateType"}):
    """An in-toto statement with a manifest as its predicate."""

    kind: str
    subject: list[Subject]
    predicate_type: str
    predicate: Manifest


class Unsealed(Record, frozen=True, kw_only=True):
    """A manifest out of its envelope; `problem` is a code, with which nothing of it is to be believed."""

    manifest: Manifest | None = None
    key_id: str = ""
    problem: str | None = None


def seal(manifest: Manifest, signer: Signer) -> bytes:
    """The signed statement of a manifest: a DSSE envelope."""
    return dsse.envelope(MEDIA, payload(manifest), signer)


def payload(manifest: Manifest) -> bytes:
    """The statement of a manifest, canonical."""
    return canonical(Statement(TYPE, _subjects(manifest), PREDICATE, manifest))


def unseal(sealed: bytes, trust: Trust) -> Unsealed:
    """The manifest of an envelope and whether a trusted key signed it.

    Problems are those of `dsse.opened` and `evidence.statement`: signed, but no statement of ours.
    """
    found = dsse.opened(sealed, trust)
    if found.problem == dsse.ENVELOPE:
        return Unsealed(problem=found.problem)
    manifest = _manifest(found)
    problem = found.problem or (STATEMENT if manifest is None else None)
    return Unsealed(manifest=manifest, key_id=found.key_id, problem=problem)


def blob_key(sealed: bytes) -> tuple[str, str]:
    """The key of the blob that an envelope is kept as, and its SHA-256."""
    digest = hashlib.sha256(sealed).hexdigest()
    return manifest_key(digest), digest


def manifest_key(digest: str) -> str:
    """The key of the blob of a signed manifest, by its SHA-256."""
    return f"{FOLDER}{digest}.dsse.json"


def _subjects(manifest: Manifest) -> list[Subject]:
    subjects = [Subject(manifest.name, {"sha256": manifest.sha256})]
    if manifest.stored.sha256 != manifest.sha256:
        subjects.append(Subject(manifest.stored.key, {"sha256": manifest.stored.sha256}))
    return subjects


def _manifest(found: dsse.Opened) -> Manifest | None:
    """The predicate; None if it is no statement, of another type, or of something else than it says."""
    if found.payload_type != MEDIA:
        return None
    try:
        read: Any = msgspec.json.decode(found.payload, type=Statement)
    except (msgspec.MsgspecError, UnicodeError):
        return None
    if (read.kind, read.predicate_type) != (TYPE, PREDICATE):
        return None
    manifest: Manifest = read.predicate
    return manifest if read.subject == _subjects(manifest) else None
