"""Whether somebody whom the settings trust has signed for an archive.

    case://CASE/PIECE            the manifest of the piece
    BUNDLE/evidence/HEX.tar      the manifest that the bundle's index names for it
    x.tar and x.tar.dsse.json    a manifest that was put beside a file

The signature says whose word it is, the digest that it is about these bytes; both are held against each time.
Only what was captured into a case counts: of what was added, a signature says no more than that it was kept.
"""

from __future__ import annotations

import contextlib
import os
from contextlib import closing
from typing import TYPE_CHECKING

from cryoscope import limits
from cryoscope.errors import CryoscopeError
from cryoscope.settings import settings
from cryoscope.workflows.open import CASE, source_at
from cryoscope.workflows.store import own_key_if_any, store_for, trust_of

if TYPE_CHECKING:
    from cryoscope.checkpoint.archive import ByteSource
    from cryoscope.evidence.records import Manifest

BESIDE, EVIDENCE = ".dsse.json", "evidence"
BLOCK = 1 << 20


def vouched(target: str) -> bool:
    """Whether a trusted key signed a manifest of exactly these bytes."""
    if target.startswith(CASE):
        return _evidence(target)
    sealed = _sealed(target) if os.path.isfile(target) else None
    if sealed is None:
        return False
    chosen = settings()
    manifest = _signed(_read(sealed), trust_of(chosen, (), own_key_if_any(chosen)))
    if manifest is None:
        return False
    with closing(source_at(target)) as source:
        return _is(source, manifest)


def _sealed(target: str) -> str | None:
    """The file with the manifest of a file: beside it, or in the bundle that it lies in."""
    if os.path.isfile(target + BESIDE):
        return target + BESIDE
    folder, name = os.path.split(os.path.realpath(target))
    if os.path.basename(folder) != EVIDENCE:
        return None
    with contextlib.suppress(CryoscopeError):
        return _of_bundle(os.path.dirname(folder), name)
    return None


def _of_bundle(folder: str, name: str) -> str | None:
    from cryoscope.evidence.bundle.folder import Bundle
    from cryoscope.evidence.bundle.layout import path_in
    from cryoscope.evidence.statement import manifest_key

    for piece in Bundle(folder).index.pieces:
        if name.partition(".")[0] == piece.sha256:
            found = path_in(folder, manifest_key(piece.manifest))
            return found if os.path.isfile(found) else None
    return None


def _evidence(target: str) -> bool:
    from cryoscope.evidence.statement import manifest_key
    from cryoscope.workflows.case_open import address

    case, reference = address(target)
    with store_for("read", case) as store:
        piece = store.piece(case, reference)
        sealed = store.blob(manifest_key(piece.manifest), limits.JSON_DOCUMENT)
        manifest = _signed(sealed, store.trust)
        if manifest is None or manifest.sha256 != piece.sha256:
            return False
        with closing(store.bytes_of(piece)) as source:
            return _is(source, manifest)


def _signed(sealed: bytes, trust: object) -> Manifest | None:
    """The manifest of an envelope, if a trusted key signed that this was captured."""
    from cryoscope.evidence.statement import unseal

    found = unseal(sealed, trust)  # type: ignore[arg-type]
    if found.problem is not None or found.manifest is None or found.manifest.capture is None:
        return None
    return found.manifest


def _is(source: ByteSource, manifest: Manifest) -> bool:
    """Whether the bytes are those that the manifest is of, as they were given or as they were stored."""
    import hashlib

    found, place = hashlib.sha256(), 0
    while block := source.read_at(place, BLOCK):
        found.update(block)
        place += len(block)
    stored = manifest.stored
    return (place, found.hexdigest()) in {(manifest.size, manifest.sha256), (stored.size, stored.sha256)}


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(limits.JSON_DOCUMENT)
