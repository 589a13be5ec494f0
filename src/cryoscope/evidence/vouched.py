"""What the log of a case says of its pieces, asked before anything is destroyed.

Rows can be edited by whoever can write the database: a hold taken away, a state or a key altered.  Bytes
go only where the chain of entries is whole, a trusted key signed each that takes away, and the rows agree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from cryoscope.evidence.catalogue.projection import differences, replay
from cryoscope.evidence.custody import ENTRY_MEDIA, FIRST, read_entry
from cryoscope.evidence.ports import Catalogue, EvidenceError, Trust
from cryoscope.evidence.records import Entry, Piece, SignedEntry
from cryoscope.text import escape

TAKES = ("release", "prune")
"""What lets bytes go."""
TRIES = 20
"""How often both are read until nobody has written in between."""


def vouched(case: str, catalogue: Catalogue, trust: Trust) -> dict[str, Piece]:
    """The pieces of a case, by SHA-256, as its log and its rows agree on.

    Not all signatures are verified (`case verify` does that).  Raises `NoSuchCase`, `EvidenceError`
    `custody.chain`, `custody.signature`, `custody.signer-unknown`, `custody.entry`, `custody.catalogue`.
    """
    for _ in range(TRIES):
        rows = catalogue.snapshot(case)
        said = replay(chained(case, catalogue.entries(case), trust))
        if said[0].head == rows[0].head:
            break
    found = differences(rows, said)
    if found:
        raise _refused(case, f"{found[0].where}: {found[0].what}", "custody.catalogue")
    return said[1]


def chained(case: str, log: Iterable[SignedEntry], trust: Trust) -> list[Entry]:
    """The entries of a log that is one chain; raises `EvidenceError`."""
    previous, found = FIRST, list[Entry]()
    for number, signed in enumerate(log, 1):
        entry = read_entry(signed.body)
        if entry is None or (entry.number, entry.previous) != (number, previous):
            raise _refused(case, f"log entry {number} is not in its chain", "custody.chain")
        if entry.action in TAKES:
            _signed(entry, signed, trust)
        previous = hashlib.sha256(signed.body).hexdigest()
        found.append(entry)
    return found


def _signed(entry: Entry, signed: SignedEntry, trust: Trust) -> None:
    verdict = trust.verify(signed.key_id, signed.signature, ENTRY_MEDIA, signed.body)
    if verdict is not None:
        code = verdict.replace("evidence.", "custody.")
        raise _refused(entry.case, f"no trusted key signed log entry {entry.number}", code)


def _refused(case: str, what: str, code: str) -> EvidenceError:
    return EvidenceError(
        f"nothing of case {escape(case)} is taken away: {what}",
        hint="`case verify` says all that is wrong with it; `case keys --trust` takes a colleague's key",
        code=code,
    )
