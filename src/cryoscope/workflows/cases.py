"""Cases as they are listed, shown and written to: everything of `cryoscope case` that moves no evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from cryoscope import limits
from cryoscope.errors import UsageError
from cryoscope.evidence.ports import Filter, NoSuchCase
from cryoscope.evidence.records import Case, Entry, Head, Manifest, Piece
from cryoscope.text import readable
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, answer
from cryoscope.workflows.store import catalogue_for, store_for

if TYPE_CHECKING:
    from cryoscope.evidence.store import Store


class CasePart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One case of `case list`, or the new one; `archive` is its address."""

    case: Case


class PiecesPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """A case and those of its pieces that were asked for, newest first."""

    case: Case
    pieces: list[Piece] = []

    def rows(self) -> list[Any]:
        return [*self.pieces]


class PiecePart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One piece with its manifest; `problem` is a code with which nothing of the manifest is to be believed.

    `key_id` is of the key that signed it, `entries` are those of the log that are about it.
    """

    piece: Piece
    manifest: Manifest | None = None
    key_id: str = ""
    problem: str | None = None
    entries: list[Entry] = []


class EntryPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """What was written into a custody log."""

    entry: Entry


class CustodyPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """The custody log of a case, oldest first, unverified (`case verify` does that)."""

    entries: list[Entry] = []

    def rows(self) -> list[Any]:
        return [*self.entries]


class HeadPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """The newest entry of a case; `witness` is the line to keep elsewhere."""

    head: Head
    witness: str


def address_of(case: str, piece: Piece | None = None) -> str:
    """A case or a piece of it as commands take it."""
    return f"case://{case}/{piece.sha256[:12]}" if piece else f"case://{case}"


def new_case(name: str, *, description: str = "", reason: str = "") -> Answer:
    """A new case."""
    with store_for("new", reason=reason) as store:
        return _case(store.new_case(name, description=description, reason=reason))


def _case(case: Case) -> Answer:
    return answer("cases", [CasePart(archive=address_of(case.name), case=case)], [], [])


def list_cases() -> Answer:
    """Every case."""
    with catalogue_for("list") as catalogue:
        found = catalogue.cases() if catalogue is not None else []
    return answer("cases", [CasePart(archive=address_of(case.name), case=case) for case in found], [], [])


def show_case(name: str, wanted: Filter) -> Answer:
    """A case and its pieces."""
    with catalogue_for("show") as catalogue:
        if catalogue is None:
            raise no_store(name)
        case = catalogue.case(name)
        pieces = catalogue.pieces(msgspec.structs.replace(wanted, case=name))
    return answer("case", [PiecesPart(archive=address_of(name), case=case, pieces=pieces)], [], [])


def show_piece(name: str, reference: str) -> Answer:
    """One piece: its manifest, whoever signed it, and what its case's log says of it."""
    from cryoscope.evidence.statement import manifest_key, unseal

    with store_for("show", name) as store:
        piece = store.piece(name, reference)
        sealed = store.blob(manifest_key(piece.manifest), limits.JSON_DOCUMENT)
        found = unseal(sealed, store.trust)
        entries = [entry for entry in _log(store, name) if entry.piece == piece.sha256]
    part = PiecePart(
        archive=address_of(name, piece),
        piece=piece,
        manifest=found.manifest,
        key_id=found.key_id,
        problem=found.problem,
        entries=entries,
    )
    return answer("piece", [part], [], [])


def note(name: str, text: str, reference: str | None = None) -> Answer:
    """A note in the log of a case; raises `UsageError` `case.note` for one that says nothing."""
    if not text.strip():
        raise UsageError("the note is empty", hint="say what is to stand in the log", code="case.note")
    return _written(name, "note", text, lambda store: store.note(name, text, reference=reference))


def hold(name: str, reference: str | None, reason: str) -> Answer:
    """Keep a case or a piece from being pruned."""
    return _written(name, "hold", reason, lambda store: store.hold(name, reference=reference, reason=reason))


def release(name: str, reference: str | None, reason: str) -> Answer:
    """Take one hold away."""
    return _written(
        name, "release", reason, lambda store: store.release(name, reference=reference, reason=reason)
    )


def _written(name: str, action: str, reason: str, write: Callable[[Store], Entry]) -> Answer:
    with store_for(action, name, reason=reason) as store:
        part = EntryPart(archive=address_of(name), entry=write(store))
    return answer("case-entry", [part], [], [])


def custody_log(name: str, *, after: int = 0) -> Answer:
    """The custody log of a case, behind an entry."""
    with catalogue_for("log") as catalogue:
        if catalogue is None:
            raise no_store(name)
        catalogue.case(name)
        part = CustodyPart(archive=address_of(name), entries=_entries(catalogue.entries(name, after=after)))
    return answer("custody", [part], [], [])


def _log(store: Store, name: str) -> list[Entry]:
    return _entries(store.catalogue.entries(name))


def _entries(signed: Any) -> list[Entry]:
    """Those that can be read: `verify` names the others."""
    from cryoscope.evidence.custody import read_entry

    return [entry for each in signed if (entry := read_entry(each.body)) is not None]


def heads(names: Sequence[str]) -> Answer:
    """A witness of each case, signed; of all cases without a name."""
    from cryoscope.evidence.custody import witness

    parts: list[Part] = []
    with store_for("head") as store:
        for name in names or [case.name for case in store.cases()]:
            head = store.head(name)
            parts.append(HeadPart(archive=address_of(name), head=head, witness=witness(head, store.signer)))
    return answer("case-head", parts, [], [])


def no_store(name: str) -> NoSuchCase:
    """The error for a case where there is no store at all."""
    return NoSuchCase(
        f"there is no case {readable(name)}", hint=f"`cryoscope case new {readable(name)}` makes it"
    )
