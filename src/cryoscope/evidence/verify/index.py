"""The side index of compressed evidence, against the members that were sealed."""

from __future__ import annotations

import hashlib

from cryoscope import limits
from cryoscope.checkpoint.archive.cache import load
from cryoscope.checkpoint.archive.codec import CODECS
from cryoscope.errors import CryoscopeError
from cryoscope.evidence.forms import index_key
from cryoscope.evidence.ports import Blobs
from cryoscope.evidence.records import Manifest, Piece, Stored
from cryoscope.evidence.verify.result import Found
from cryoscope.text import readable

CURE = "the evidence itself is whole: only listing it without decompressing is not to be relied on"


def check_index(piece: Piece, stored: Stored, manifest: Manifest, blobs: Blobs, found: Found) -> None:
    """Whether the index is there and lists what the manifest does."""
    try:
        index = _read(stored.index or "", blobs)
    except CryoscopeError as error:
        found.problem("evidence.index", piece, f"its index cannot be read: {error.message}", cure=CURE)
        return
    found.read(len(index))
    if hashlib.sha256(index).hexdigest() != stored.index_sha256:
        found.problem("evidence.index", piece, "its index was altered", cure=CURE)
        return
    forms = [manifest.format] if manifest.format.startswith("tar+") else [f"tar+{codec}" for codec in CODECS]
    loaded = (load(index, index_key(stored.sha256), form, manifest.size) for form in forms)
    read = next((one for one in loaded if one is not None), None)
    if read is None:
        found.problem("evidence.index", piece, "its index was altered", cure=CURE)
        return
    listed = {(readable(one.name), one.type, one.size, max(one.offset, -1)) for one in read[0]}
    sealed = {
        (readable(one.name), one.type, one.size, -1 if one.offset is None else one.offset)
        for one in manifest.members
    }
    if listed != sealed:
        what = f"its index lists {len(listed ^ sealed)} members otherwise than its manifest"
        found.problem("evidence.index", piece, what, cure=CURE)


def _read(key: str, blobs: Blobs) -> bytes:
    source = blobs.source(key)
    try:
        if source.size is None or source.size > limits.ENVELOPE:
            raise CryoscopeError("is too large for an index")
        return source.read_at(0, source.size)
    finally:
        source.close()
