"""`case verify`: every byte of a case read again, and what is wrong told; that it was done is in the log.

A bundle is verified as it lies, without a store.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from cryoscope import limits
from cryoscope.errors import CryoscopeError, UsageError
from cryoscope.evidence.ports import EvidenceError
from cryoscope.evidence.records import Head, Problem
from cryoscope.settings import settings
from cryoscope.text import readable
from cryoscope.workflows.cases import address_of
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import FAILED, Answer, Failure, answer
from cryoscope.workflows.store import identity_files, own_key_if_any, store_for, trust_of

if TYPE_CHECKING:
    from cryoscope.evidence.custody import Witness
    from cryoscope.evidence.store import Store
    from cryoscope.evidence.verify import Verified
    from cryoscope.workflows.open import Progress

SHOWN = 20
"""Problems whose codes the custody log names."""


class VerifiedPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """What was read again of one case or bundle, and what is wrong with it; `bytes` as stored.

    `notes` are what is no proof of anything, such as a blob that nothing names; `head` is what the log
    ended with.
    """

    holds: bool
    pieces: int = 0
    members: int = 0
    bytes: int = 0
    entries: int = 0
    head: Head | None = None
    problems: list[Problem] = []
    notes: list[Problem] = []


class Verifying(msgspec.Struct, kw_only=True):
    """What to hold a case against: a witness (a line, or a file with one), more keys and identities."""

    expect: str | None = None
    trusted: Sequence[str] = ()
    identities: Sequence[str] = ()
    piece: str | None = None
    reason: str = ""
    progress: Callable[[str], Progress | None] = lambda _target: None


def verify(names: Sequence[str], verifying: Verifying) -> Answer:
    """The cases named, all without a name; exit code 1 where anything is wrong."""
    witnesses = witnesses_of(verifying.expect)
    parts: list[Part] = []
    failures: list[Failure] = []
    with store_for(
        "verify", *names, reason=verifying.reason, identities=verifying.identities, trusted=verifying.trusted
    ) as store:
        names = names or [*witnesses] or _all(store)
        if len(names) > 1 and verifying.piece is not None:
            raise UsageError("a piece is of one case", hint="name one case", code="verify.case")
        for name in names:
            try:
                part = _verified(store, name, expected(witnesses, name), verifying)
                parts.append(part)
                _written(store, name, part, verifying.reason)
            except CryoscopeError as error:
                failures.append((address_of(readable(name)), error))
    return _answer(parts, failures)


def _all(store: Store) -> list[str]:
    """Every case that anything of the store tells of: one may have been taken out of the catalogue."""
    from cryoscope.evidence.pieces import FOLDER

    blobs = {key.split("/")[1] for key, _ in store.blobs.keys(FOLDER)}
    return sorted({case.name for case in store.cases()} | {*store.catalogue.told()} | blobs)


def _verified(store: Store, name: str, expect: Witness | None, verifying: Verifying) -> VerifiedPart:
    from cryoscope.evidence.verify import verify_case

    head = None
    with contextlib.suppress(EvidenceError):  # what is wrong with the log is told below
        head = store.head(name)
    found = verify_case(
        name,
        store.catalogue,
        store.blobs,
        store.trust,
        identities=store.identities,
        expect=expect,
        now=store.clock(),
        piece=store.piece(name, verifying.piece).sha256 if verifying.piece else None,
        progress=verifying.progress(name),
    )
    return _part(address_of(name), found, head)


def _written(store: Store, name: str, part: VerifiedPart, reason: str) -> None:
    """Into the log of the case, as far as it still takes entries."""
    codes = [problem.code for problem in part.problems]
    head = part.head.number if part.head else 0
    details = {"problems": len(codes), "codes": sorted({*codes})[:SHOWN], "head": head}
    store.write(name, "verify", reason=reason, details=details)


def _part(archive: str, found: Verified, head: Head | None = None) -> VerifiedPart:
    return VerifiedPart(
        archive=archive,
        holds=not found.problems,
        pieces=found.pieces,
        members=found.members,
        bytes=found.bytes,
        entries=found.entries,
        head=head,
        problems=found.problems,
        notes=[*getattr(found, "notes", ())],
    )


def verify_exported(folder: str, verifying: Verifying) -> Answer:
    """A bundle that `case export` wrote."""
    from cryoscope.evidence.bundle import verify_bundle
    from cryoscope.evidence.bundle.folder import Bundle
    from cryoscope.evidence.forms import load_identities

    if verifying.piece is not None:
        raise UsageError("a bundle is verified whole", hint="leave --piece out", code="verify.case")
    chosen = settings()
    found = verify_bundle(
        folder,
        trust_of(chosen, verifying.trusted, own_key_if_any(chosen)),
        identities=load_identities(identity_files(chosen, verifying.identities)),
        expect=expected(witnesses_of(verifying.expect), Bundle(folder).index.case.name),
        progress=verifying.progress(folder),
    )
    return _answer([_part(readable(folder), found)], [])


def _answer(parts: list[Part], failures: list[Failure]) -> Answer:
    found = answer("case-verify", parts, [], failures)
    if found.exit_code or all(part.holds for part in parts):  # type: ignore[attr-defined]
        return found
    return msgspec.structs.replace(found, exit_code=FAILED)


def expected(witnesses: dict[str, Witness], case: str) -> Witness | None:
    """The witness to hold a case against; raises `UsageError` `custody.witness` if only others have one."""
    if len(witnesses) <= 1:  # one of another case is told as what it is
        return next(iter(witnesses.values()), None)
    if case not in witnesses:
        raise UsageError(
            f"there is no witness of case {readable(case)}",
            hint="`case head CASE` prints one; name the cases that have one",
            code="custody.witness",
        )
    return witnesses[case]


def witnesses_of(text: str | None) -> dict[str, Witness]:
    """The furthest witness of each case, of a line or of a file to which lines were added over time."""
    from cryoscope.evidence.custody import read_witness

    if text is None:
        return {}
    found: dict[str, Witness] = {}
    for each in map(read_witness, [*filter(str.strip, _text(text).splitlines())] or [""]):
        if each.case not in found or found[each.case].number < each.number:
            found[each.case] = each
    return found


def _text(text: str) -> str:
    """The words themselves, or those in the file of that name."""
    if os.path.isfile(text):
        try:
            with open(text, encoding="utf-8", errors="replace") as file:
                return file.read(limits.JSON_DOCUMENT)
        except OSError as error:
            raise UsageError(f"{text}: {error.strerror}", code="custody.witness") from None
    return text
