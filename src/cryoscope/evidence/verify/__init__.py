"""Whether a case is what it was: everything is read again and held against what was signed.

    witness -> log -> catalogue                     custody.*
            -> manifest of each piece               evidence.manifest, .signature, .signer-unknown, .replaced
            -> stored bytes -> archive -> members   evidence.blob-missing, .altered, .member, .replaced

The log is held against its own chain, its signatures, the clock and a witness; everything else against the
log.  What cannot be decrypted is held against the digest of its stored bytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from cryoscope.errors import CryoscopeError
from cryoscope.evidence.custody import Witness
from cryoscope.evidence.pieces import FOLDER, keys_of
from cryoscope.evidence.ports import Blobs, Catalogue, EvidenceError, Filter, NoSuchPiece, Trust
from cryoscope.evidence.records import KEPT, Piece, Problem
from cryoscope.evidence.verify.log import read_log
from cryoscope.evidence.verify.piece import Checker
from cryoscope.evidence.verify.result import Found, Verified
from cryoscope.text import escape, readable

__all__ = ["Verified", "verify_case"]


def verify_case(
    case: str,
    catalogue: Catalogue,
    blobs: Blobs,
    trust: Trust,
    *,
    identities: Sequence[Any] = (),
    expect: Witness | None = None,
    now: str,
    piece: str | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Verified:
    """Reread a case: its log, its catalogue, every manifest and every byte; with `piece` only that one's.

    `now` is the time that no entry may be behind, `identities` decrypt.  Raises `NoSuchCase`, `NoSuchPiece`.
    """
    found = Found(progress)
    log = read_log(case, catalogue, trust, expect=expect, now=now)
    found.problems += log.problems
    chosen = _chosen(log.pieces, piece)
    found.total = sum(_work(one) for one in chosen)
    checker = Checker(blobs, trust, identities, found, cache(lambda digest: _owner(catalogue, digest)))
    for one in chosen:
        try:
            checker.check(one, one.stored)
        except CryoscopeError as error:  # a row that was made up keeps nothing else from being told
            found.problem("evidence.unreadable", one, error.message)
    if piece is None:
        with contextlib.suppress(EvidenceError):  # no case has such a name: the log is told to be another's
            found.notes += _orphans(case, blobs, log.pieces)
    return found.verified(len(log.entries))


def _chosen(pieces: dict[str, Piece], wanted: str | None) -> list[Piece]:
    if wanted is None:
        return [*pieces.values()]
    if wanted not in pieces:
        raise NoSuchPiece(
            f"no piece of the case has the SHA-256 {wanted[:64]}", hint="`case show` lists them"
        )
    return [pieces[wanted]]


def _work(piece: Piece) -> int:
    """Bytes that are read of a piece."""
    if piece.state != KEPT:
        return 0
    return piece.size + (piece.stored.size if piece.stored.forms else 0)


def _owner(catalogue: Catalogue, digest: str) -> str | None:
    """Whose bytes a digest is; None if nobody's in this store."""
    try:
        pieces = catalogue.pieces(Filter())
    except CryoscopeError:
        return None
    for piece in pieces:
        if digest in (piece.stored.sha256, piece.sha256):
            return f"{escape(readable(piece.name))} ({piece.sha256[:12]}) of case {escape(piece.case)}"
    return None


def _orphans(case: str, blobs: Blobs, pieces: dict[str, Piece]) -> list[Problem]:
    """Blobs of the case that no piece names: what an `add` left that was killed, or is still going on."""
    named = set[str]().union(*(keys_of(piece) for piece in pieces.values()))
    what, cure = "no piece names this blob", "`case prune` takes it away a day after its `add` ended"
    return [
        Problem(code="evidence.orphan", where=escape(key), what=what, cure=cure)
        for key, _ in blobs.keys(f"{FOLDER}{case}/")
        if key not in named
    ]
