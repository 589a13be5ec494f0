"""Whether a bundle is what was exported: as `verify_case`, with the folder in the place of the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from cryoscope.evidence import clock as times
from cryoscope.evidence import dsse
from cryoscope.evidence.bundle import layout
from cryoscope.evidence.bundle.folder import Bundle
from cryoscope.evidence.custody import Witness, check, read_entry
from cryoscope.evidence.ports import Trust
from cryoscope.evidence.records import KEPT, Piece, Problem, Stored
from cryoscope.evidence.verify.log import Rows, replayed
from cryoscope.evidence.verify.piece import Checker
from cryoscope.evidence.verify.reading import Digest, Hole, blocks
from cryoscope.evidence.verify.result import Found, Verified
from cryoscope.text import escape, readable

AGAIN = "get the bundle from where it came from again"


def verify_bundle(
    folder: str,
    trust: Trust,
    *,
    identities: Sequence[Any] = (),
    expect: Witness | None = None,
    now: str | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Verified:
    """Reread a bundle: its list of files, its log, every manifest and every byte.

    `trust` is never taken from the bundle itself.  Raises `UsageError` (`bundle.none`) for another folder.
    """
    bundle = Bundle(folder)
    found = Found(progress)
    log = bundle.log()
    problems = check(log, trust, expect=expect, now=now or times.now(), case=bundle.index.case.name)
    entries = [entry for one in log if (entry := read_entry(one.body)) is not None]
    said = replayed(entries, problems)
    pieces = [*said[1].values()] if said else []
    _files(bundle, found, {_file(piece, bundle) for piece in pieces})
    _signed(bundle, trust, found)
    found.problems += [*problems, *_index(bundle, said)]
    checker = Checker(bundle, trust, identities, found, bundle.owner)
    for piece in pieces:
        _piece(piece, bundle, checker, found)
    return found.verified(len(log))


def _piece(piece: Piece, bundle: Bundle, checker: Checker, found: Found) -> None:
    """A piece as the log has it, with the bytes that the bundle has of it."""
    here = bundle.index.files.get(piece.sha256)
    if here is None or piece.state != KEPT:
        checker.check_manifest(piece)
        if piece.state == KEPT:
            found.note("bundle.not-exported", piece, "its bytes are not in this bundle")
        return
    checker.check(piece, _stored(piece, here))


def _file(piece: Piece, bundle: Bundle) -> str | None:
    """The file with the bytes of a piece, if it should be there."""
    here = bundle.index.files.get(piece.sha256) if piece.state == KEPT else None
    return layout.evidence(piece, here) if here is not None else None


def _stored(piece: Piece, here: Stored) -> Stored:
    """How the bytes lie here; what the log says of them counts wherever it says something."""
    name = layout.evidence(piece, here)
    if here.forms == piece.stored.forms and here.recipients == piece.stored.recipients:
        return msgspec.structs.replace(piece.stored, key=name, index=None)
    if not here.forms:
        return Stored(key=name, size=piece.size, sha256=piece.sha256)
    return msgspec.structs.replace(here, key=name, index=None)


def _files(bundle: Bundle, found: Found, read: set[str | None]) -> None:
    """Every file against SHA256SUMS, but those of pieces, which are read with their manifests."""
    sums = bundle.sums()
    for name in bundle.names():
        if name.startswith(layout.EVIDENCE + "/") and name not in read:
            found.problems.append(_told("bundle.extra", name, "no piece of the log has its bytes there"))
        elif name not in sums and name not in (layout.SUMS, layout.SUMS + ".pae", layout.SUMS + ".sig"):
            found.notes.append(_told("bundle.extra", name, "SHA256SUMS does not know it"))
    for name, digest in sums.items():
        if name in read and bundle.size(name) is not None:
            continue
        now = _digest(bundle, name, found)
        if now is None:
            found.problems.append(_told("bundle.missing", name, "it is in SHA256SUMS, but cannot be read"))
        elif now != digest:
            found.problems.append(_told("bundle.altered", name, "it is not what SHA256SUMS says"))


def _digest(bundle: Bundle, name: str, found: Found) -> str | None:
    if bundle.size(name) is None:
        return None
    source = bundle.source(name)
    whole, holes = Digest(), list[Hole]()
    for offset, block in blocks(source, holes, found.read):
        whole.take(offset, block)
    source.close()
    return None if holes else whole.hex()


def _signed(bundle: Bundle, trust: Trust, found: Found) -> None:
    """Whether a trusted key signed SHA256SUMS."""
    if bundle.size(layout.SUMS + ".sig") is None:
        what = "nobody signed the list of files: what was taken away or replaced cannot be told"
        found.problems.append(_told("bundle.unsigned", layout.SUMS, what))
        return
    sums, signature = _small(bundle, layout.SUMS), dsse.text(_small(bundle, layout.SUMS + ".sig"))
    if _small(bundle, layout.SUMS + ".pae") != dsse.pae(layout.SUMS_MEDIA, sums):
        what = "it does not hold the list of files"
        found.problems.append(_told("bundle.altered", layout.SUMS + ".pae", what))
    verdicts = {trust.verify(key, signature, layout.SUMS_MEDIA, sums) for key in trust.key_ids}
    if None not in verdicts:
        what = "no trusted key signed it: the list of files was altered, or somebody else exported it"
        found.problems.append(_told("bundle.signature", layout.SUMS, what))


def _small(bundle: Bundle, name: str) -> bytes:
    return bundle.read(name) if bundle.size(name) is not None else b""


def _index(bundle: Bundle, said: Rows | None) -> list[Problem]:
    """Pieces of bundle.json against the log; holds and states are of when it was exported."""
    listed = {piece.sha256: piece for piece in bundle.index.pieces}
    known = said[1] if said else {}
    return [
        _told("bundle.altered", layout.INDEX, f"it says otherwise than the log of {sha256[:12]}")
        for sha256 in sorted(listed.keys() | known.keys())
        if _without(listed.get(sha256)) != _without(known.get(sha256))
    ]


def _without(piece: Piece | None) -> Piece | None:
    return msgspec.structs.replace(piece, state=KEPT, holds=0) if piece is not None else None


def _told(code: str, name: str, what: str) -> Problem:
    return Problem(code=code, where=escape(readable(name)), what=what, cure=AGAIN)
