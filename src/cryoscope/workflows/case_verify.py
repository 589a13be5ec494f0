"""`case verify`: every byte of a case read again, and what is wrong told; that it was done is in the log.

A bundle is verified as it lies, without a store.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from cryoscope.errors import CryoscopeError, UsageError
from cryoscope.evidence.records import Head, Problem
from cryoscope.settings import settings
from cryoscope.text import readable
from cryoscope.workflows.cases import address_of
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import FAILED, Answer, Failure, answer
from cryoscope.workflows.store import own_key_if_any, store_for, trust_of

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
    expect = witness_of(verifying.expect)
    parts: list[Part] = []
    failures: list[Failure] = []
    with store_for(
        "verify", reason=verifying.reason, identities=verifying.identities, trusted=verifying.trusted
    ) as store:
        names = names or ([expect.case] if expect else [case.name for case in store.cases()])
        _one_case(names, expect, verifying)
        for name in names:
            try:
                parts.append(_verified(store, name, expect, verifying))
            except CryoscopeError as error:
                failures.append((address_of(readable(name)), error))
    return _answer(parts, failures)


def _one_case(names: Sequence[str], expect: Witness | None, verifying: Verifying) -> None:
    if len(names) > 1 and (expect is not None or verifying.piece is not None):
        raise UsageError("a witness and a piece are of one case", hint="name one case", code="verify.case")


def _verified(store: Store, name: str, expect: Witness | None, verifying: Verifying) -> VerifiedPart:
    from cryoscope.evidence.verify import verify_case

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
    codes = [problem.code for problem in found.problems]
    details = {"problems": len(codes), "codes": sorted({*codes})[:SHOWN], "head": head.number}
    store.write(name, "verify", reason=verifying.reason, details=details)
    return _part(address_of(name), found, head)


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

    trust = trust_of(settings(), verifying.trusted, own_key_if_any(settings()))
    return _answer([_part(readable(folder), verify_bundle(folder, trust))], [])


def _answer(parts: list[Part], failures: list[Failure]) -> Answer:
    found = answer("case-verify", parts, [], failures)
    if found.exit_code or all(part.holds for part in parts):  # type: ignore[attr-defined]
        return found
    return msgspec.structs.replace(found, exit_code=FAILED)


def witness_of(text: str | None) -> Witness | None:
    """The witness of a line, or of the file that holds it."""
    from cryoscope.evidence.custody import read_witness

    if text is None:
        return None
    if os.path.isfile(text):
        try:
            with open(text, encoding="utf-8", errors="replace") as file:
                text = file.read(10_000)
        except OSError as error:
            raise UsageError(f"{text}: {error.strerror}", code="custody.witness") from None
    return read_witness(text)
