"""Whether somebody whom the settings trust has signed for an archive.

    case://CASE/PIECE           the manifest of the piece
    x.tar and x.tar.dsse.json   a manifest beside a file, as `case export` writes them

The signature says whose word it is, the digest that it is about these bytes; both are held against each time.
Only what was captured into a case counts: of what was added, a signature says no more than that it was kept.
"""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

from cryoscope import limits
from cryoscope.settings import settings
from cryoscope.workflows.open import CASE, source_at
from cryoscope.workflows.store import own_key_if_any, store_for, trust_of

if TYPE_CHECKING:
    from cryoscope.checkpoint.archive import ByteSource
    from cryoscope.evidence.records import Manifest

BESIDE = ".dsse.json"
BLOCK = 1 << 20


def vouched(target: str) -> bool:
    """Whether a trusted key signed a manifest of exactly these bytes."""
    if target.startswith(CASE):
        return _evidence(target)
    if not os.path.isfile(target) or not os.path.isfile(target + BESIDE):
        return False
    chosen = settings()
    manifest = _signed(_read(target + BESIDE), trust_of(chosen, (), own_key_if_any(chosen)))
    if manifest is None:
        return False
    with closing(source_at(target)) as source:
        return _is(source, manifest)


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
    """Whether the bytes are those that the manifest is of."""
    import hashlib

    found, place = hashlib.sha256(), 0
    while block := source.read_at(place, BLOCK):
        found.update(block)
        place += len(block)
    return (place, found.hexdigest()) == (manifest.size, manifest.sha256)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(limits.JSON_DOCUMENT)
