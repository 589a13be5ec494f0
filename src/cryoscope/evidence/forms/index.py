"""The side index of evidence that was compressed when it came: its members, and none of their contents.

It is what the opener's own cache holds, so that listing such evidence decompresses nothing.
"""

from __future__ import annotations

import hashlib

from cryoscope.checkpoint.archive import IndexCache
from cryoscope.evidence.records import Stored


def index_key(stored_sha256: str) -> str:
    """What an index is bound to, and the fingerprint of the original that `original` gives."""
    return f"evidence-{stored_sha256}"


class _Index:
    """A cache that knows one index, and asks another for the rest."""

    def __init__(self, key: str, index: bytes | None, behind: IndexCache | None) -> None:
        self._key = key
        self._index = index
        self._behind = behind

    def get(self, key: str) -> bytes | None:
        if key == self._key:
            return self._index
        return self._behind.get(key) if self._behind is not None else None

    def put(self, key: str, value: bytes) -> None:
        if key != self._key and self._behind is not None:
            self._behind.put(key, value)


def index_cache(stored: Stored, index: bytes, behind: IndexCache | None = None) -> IndexCache:
    """The cache to open `original(stored, …)` with; an index that is not the sealed one is not believed.

    `behind` is asked about everything else, such as the layers in an image.
    """
    sealed = hashlib.sha256(index).hexdigest() == stored.index_sha256
    return _Index(index_key(stored.sha256), index if sealed else None, behind)
