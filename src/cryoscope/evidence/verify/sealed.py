"""The signed manifest of a piece: the envelope that the log names, from a trusted key, of that piece."""

from __future__ import annotations

import hashlib
import re

from cryoscope import limits
from cryoscope.errors import CryoscopeError
from cryoscope.evidence.catalogue.projection import TEXTS, text
from cryoscope.evidence.dsse import UNKNOWN
from cryoscope.evidence.pieces import own_keys, piece_of
from cryoscope.evidence.ports import BlobMissing, Blobs, EvidenceError, Trust
from cryoscope.evidence.records import Manifest, Piece
from cryoscope.evidence.statement import Unsealed, manifest_key, unseal
from cryoscope.evidence.verify.result import Found
from cryoscope.text import escape, readable

SIGNATURE = re.compile(rb'"sig":"([^"]*)"')
MENDED = 1 << 20
"""Bytes of an envelope for which every bit of its signature is tried."""
SIGNER = "name the key with --trusted-key if it is one of yours; else somebody else sealed this"


def read_envelope(digest: str, blobs: Blobs) -> bytes:
    """The envelope with that SHA-256 as its blob has it; raises `BlobMissing`, `EvidenceError`."""
    source = blobs.source(manifest_key(digest))
    try:
        if source.size is None or source.size > limits.ENVELOPE:
            raise EvidenceError("is too large for a manifest", code="limit.envelope")
        return source.read_at(0, source.size)
    finally:
        source.close()


def as_sealed(piece: Piece, blobs: Blobs, trust: Trust) -> None:
    """Whether a row of the catalogue is what its manifest says; raises `EvidenceError` where it is not.

    Whose key sealed it is for `case verify`: who reads may not have it, but no signature may be wrong.
    """
    sealed = read_envelope(piece.manifest, blobs)
    read = unseal(sealed, trust)
    ours = piece.stored.key.startswith(own_keys(piece))
    same = hashlib.sha256(sealed).hexdigest() == piece.manifest
    known = read.manifest if read.problem in (None, UNKNOWN) else None
    if ours and same and known is not None and not _differing(piece, known):
        return
    raise EvidenceError(
        f"the catalogue says otherwise of {escape(readable(piece.name))} than what was sealed",
        hint="`case verify` says what was altered",
        code="evidence.manifest",
    )


def check_manifest(piece: Piece, blobs: Blobs, trust: Trust, found: Found) -> Manifest | None:
    """The manifest of a piece, if it can be believed."""
    try:
        sealed = read_envelope(piece.manifest, blobs)
    except BlobMissing:
        found.problem("evidence.manifest-missing", piece, f"its manifest {piece.manifest} is not there")
        return None
    except CryoscopeError as error:
        found.problem("evidence.manifest", piece, f"its manifest cannot be read: {error.message}")
        return None
    found.read(len(sealed))
    read = unseal(sealed, trust)
    if hashlib.sha256(sealed).hexdigest() != piece.manifest:
        found.problem(*_other(piece, sealed, read))
        return None
    if read.problem is not None:
        cure = SIGNER if read.problem == "evidence.signer-unknown" else ""
        found.problem(read.problem, piece, _wrong(read), cure=cure)
        return None
    return _agrees(piece, read.manifest, found)


def _other(piece: Piece, sealed: bytes, read: Unsealed) -> tuple[str, Piece, str]:
    """What became of an envelope that is not the one which the log names."""
    manifest = read.manifest
    if read.problem is None and manifest is not None and manifest.sha256 != piece.sha256:
        what = f"its manifest was replaced by that of {manifest.sha256[:12]}, which is signed, too"
        return "evidence.replaced", piece, what
    if read.problem is None:
        return "evidence.manifest", piece, "its manifest was written and signed anew since it was added"
    if _mended(sealed, piece.manifest):
        return "evidence.signature", piece, "one bit of its manifest's signature was altered, nothing else"
    if manifest is None:
        return "evidence.manifest", piece, f"its manifest was altered: {_wrong(read)}"
    names = _differing(piece, manifest)
    where = f" (in {', '.join(names)})" if names else ""
    return "evidence.manifest", piece, f"its manifest was altered{where}: {_wrong(read)}"


def _mended(sealed: bytes, digest: str) -> bool:
    """Whether the envelope is the right one but for a bit of a signature."""
    if len(sealed) > MENDED:
        return False
    whole = bytearray(sealed)
    for place in (place for one in SIGNATURE.finditer(sealed) for place in range(*one.span(1))):
        for bit in range(8):
            whole[place] ^= 1 << bit
            if hashlib.sha256(whole).hexdigest() == digest:
                return True
            whole[place] ^= 1 << bit
    return False


def _wrong(read: Unsealed) -> str:
    return {
        "evidence.signature": "its signature does not hold",
        "evidence.signer-unknown": f"it is signed by a key that is not trusted: {read.key_id[:64]}",
        "evidence.envelope": "it is no signed envelope",
        "evidence.statement": "it is signed, but no statement of a piece of evidence",
    }.get(read.problem or "", "it cannot be read")


def _agrees(piece: Piece, manifest: Manifest | None, found: Found) -> Manifest | None:
    """A manifest that is right by itself against what the log says of the piece."""
    if manifest is None:
        return None
    names = _differing(piece, manifest)
    if names:
        found.problem("evidence.manifest", piece, f"the log says otherwise than its manifest of {names}")
        return None
    return manifest


def _differing(piece: Piece, manifest: Manifest) -> list[str]:
    """Fields of a piece that its manifest has otherwise; texts as the catalogue cuts them."""
    said = piece_of(piece.case, manifest, piece.manifest)
    differing = []
    for name in piece.__struct_fields__:
        value = getattr(said, name)
        value = text(value) if name in TEXTS and value is not None else value
        if name not in ("state", "holds") and value != getattr(piece, name):
            differing.append(name)
    return differing
