"""Where things lie in a bundle.

README.txt              what this is, and the commands that check it
SHA256SUMS              of every other file, for `sha256sum -c`
SHA256SUMS.pae, .sig    signed by whoever exported it
ORIGINALS               SHA-256 of each archive as it was given, where the file holds other bytes
bundle.json             how each piece lies here (`Index`)
case.jsonld             CASE/UCO
keys/ID.pub             public keys, PEM
evidence/SHA256.tar...  the pieces
manifests/SHA256.dsse.json, .json (the statement), .pae, .sig
custody/entries.jsonl   the log, an entry a line; signatures.jsonl beside it; last.json, .pae, .sig
"""

from __future__ import annotations

import os
import re

from cryoscope.errors import UsageError
from cryoscope.evidence.records import AGE, FRAMES, Case, Piece, Record, Stored

README, SUMS, ORIGINALS, INDEX, JSONLD = "README.txt", "SHA256SUMS", "ORIGINALS", "bundle.json", "case.jsonld"
KEYS, EVIDENCE, MANIFESTS, CUSTODY = "keys", "evidence", "manifests", "custody"
ENTRIES, SIGNATURES, LAST = "custody/entries.jsonl", "custody/signatures.jsonl", "custody/last"
FORMAT = "cryoscope-bundle/1"
SUMS_MEDIA = "text/plain"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?")

ENDINGS = {"tar+gzip": ".tar.gz", "tar+zstd": ".tar.zst", "tar+xz": ".tar.xz", "tar+bzip2": ".tar.bz2"}
FORMS = {FRAMES: ".zst", AGE: ".age"}


class Index(Record, frozen=True, kw_only=True):
    """What is in a bundle: `files` says how the bytes of each piece (by SHA-256) lie in it."""

    format: str
    case: Case
    exported: str
    by: str
    version: str
    pieces: list[Piece]
    files: dict[str, Stored] = {}


class Line(Record, frozen=True, kw_only=True):
    """The signature of one entry of the log, in signatures.jsonl."""

    number: int
    hash: str
    key_id: str
    signature: str


def evidence(piece: Piece, stored: Stored) -> str:
    """The file of a piece."""
    ending = "".join(FORMS.get(form, ".form") for form in stored.forms)
    return f"{EVIDENCE}/{piece.sha256}{ENDINGS.get(piece.format, '.tar')}{ending}"


def path_in(folder: str, name: str) -> str:
    """The path of a file of a bundle; raises `UsageError` for a name that is not one of a bundle's."""
    path = os.path.join(folder, *name.split("/"))
    inside = os.path.realpath(folder)
    if not NAME.fullmatch(name) or os.path.realpath(path) != os.path.join(inside, *name.split("/")):
        raise UsageError(
            f"a bundle cannot hold a file of the name {name[:200]!r}",
            hint="it was altered: get it from where it came from again",
            code="bundle.name",
        )
    return path
