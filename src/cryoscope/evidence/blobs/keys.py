"""What a key may be: `a/b-c.d`, never a way out of where blobs lie."""

from __future__ import annotations

import re

from cryoscope.evidence.ports import EvidenceError
from cryoscope.limits import BLOB_KEY
from cryoscope.text import readable

INCOMING = "incoming"
"""Where uploads lie until they are blobs: no key starts with it."""

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


def checked(key: str) -> str:
    """The key itself; raises `EvidenceError` (`evidence.blob-key`): it may come from a forged catalogue."""
    if len(key) <= BLOB_KEY and _KEY.fullmatch(key) and key.partition("/")[0] != INCOMING:
        return key
    raise EvidenceError(
        f"{readable(key[:BLOB_KEY])!r} cannot be the key of a blob",
        hint="the catalogue was altered: verify the case",
        code="evidence.blob-key",
    )


def folder_of(prefix: str) -> str:
    """The folder, with a slash behind it, that all keys with a prefix lie in; "" for all of them."""
    folder, slash, _ = prefix.rpartition("/")
    return checked(folder) + slash if folder else ""
