"""`case://CASE/PIECE`: evidence of a case as an archive, after its custody log says who reads it and why."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from cryoscope.checkpoint.archive import Archive, IndexCache, Keep, Tap, open_archive
from cryoscope.errors import CryoscopeError, UsageError
from cryoscope.text import readable
from cryoscope.workflows.access import Access
from cryoscope.workflows.store import store_for

if TYPE_CHECKING:
    from cryoscope.evidence.records import Piece
    from cryoscope.evidence.store import Store
    from cryoscope.workflows.open import Progress

SCHEME = "case://"
BLOCK = 1 << 20


def address(target: str) -> tuple[str, str]:
    """Case and piece of `case://CASE/PIECE`; raises `UsageError` `case.address`."""
    case, _, reference = target.removeprefix(SCHEME).partition("/")
    if not case or not reference:
        raise UsageError(
            f"{readable(target)} names no piece of evidence",
            hint="case://CASE/PIECE: a name or 4 digits of a SHA-256 or more; `case show CASE` lists them",
            code="case.address",
        )
    return case, reference


def open_evidence(
    target: str,
    access: Access | None = None,
    *,
    keep: Keep | None = None,
    progress: Progress | None = None,
    tap: Tap | None = None,
) -> Archive:
    """The archive that was kept; only its side index, which the manifest names, is used as a cache."""
    access = access or Access()
    case, reference = address(target)
    with store_for(access.action, case, reason=access.reason) as store:
        piece, source = store.open(case, reference, action=access.action, reason=access.reason)
        try:
            cache = _cache(store, piece)
        except BaseException:
            source.close()
            raise
    try:
        return open_archive(source, cache=cache, keep=keep, progress=progress, tap=tap)
    except CryoscopeError:
        source.close()
        raise


def digest_of(target: str) -> tuple[str, int]:
    """SHA-256 and size of the original bytes, read again; whoever opened them is in the log already."""
    import hashlib

    case, reference = address(target)
    found = hashlib.sha256()
    with store_for("read", case) as store, closing(store.bytes_of(store.piece(case, reference))) as source:
        size = 0
        while block := source.read_at(size, BLOCK):
            found.update(block)
            size += len(block)
    return found.hexdigest(), size


def _cache(store: Store, piece: Piece) -> IndexCache | None:
    """The index of evidence that was compressed already."""
    if piece.stored.index is None:
        return None
    from cryoscope import limits
    from cryoscope.evidence.forms import index_cache

    return index_cache(piece.stored, store.blob(piece.stored.index, limits.JSON_DOCUMENT))
