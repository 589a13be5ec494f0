"""Archives into a case: looked at, hashed, framed, encrypted, sealed, entered.

    open (what is it?) -> budget -> Store.add

What is no checkpoint is refused, unless it is to be kept as it is; a damaged one is kept, and that is told.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from cryoscope import __version__
from cryoscope.checkpoint.archive import ByteSource
from cryoscope.checkpoint.overview import read_overview
from cryoscope.errors import ArchiveError, CryoscopeError, UsageError
from cryoscope.evidence.pieces import Added, Facts
from cryoscope.evidence.records import Piece
from cryoscope.settings import settings
from cryoscope.text import readable
from cryoscope.workflows.cases import address_of
from cryoscope.workflows.documents import Part, shown
from cryoscope.workflows.examine import Answer, Failure, answer
from cryoscope.workflows.open import CASE, STANDARD_INPUT, open_at, source_at, unreadable
from cryoscope.workflows.store import store_for

if TYPE_CHECKING:
    from cryoscope.evidence.store import Store
    from cryoscope.workflows.open import Progress

UNREADABLE = ArchiveError.default_code
"""The code of what is no archive, which --as-is does not take either."""


class AddedPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive that is in a case; `new` is false where it was there already.

    `entry` is the number in the custody log, `address` what other commands take, `damaged` what is
    wrong with the archive.
    """

    address: str
    piece: Piece
    new: bool = True
    entry: int = 0
    damaged: list[str] = []


class Adding(msgspec.Struct, kw_only=True):
    """How to add: `as_is` also takes what is no checkpoint, `frames` as `forms.keep` has it."""

    reason: str = ""
    frames: bool | None = None
    as_is: bool = False
    progress: Callable[[str], Progress | None] = lambda _target: None


def add(case: str, targets: Sequence[str], adding: Adding) -> Answer:
    """Each target into a case; one that cannot be added keeps no other from it."""
    parts: list[Part] = []
    failures: list[Failure] = []
    with store_for("add", case, reason=adding.reason) as store:
        store.case(case)
        store.finish()
        for target in targets:
            try:
                parts.append(_added(store, case, target, adding))
            except CryoscopeError as error:
                failures.append((target, error))
    return answer("case-added", parts, [], failures)


def _added(store: Store, case: str, target: str, adding: Adding) -> AddedPart:
    facts = facts_of(target, as_is=adding.as_is)
    return part_of(target, case, keep_in(store, case, target, facts, adding), facts)


def part_of(target: str, case: str, added: Added, facts: Facts) -> AddedPart:
    """What became of one archive."""
    return AddedPart(
        archive=shown(target),
        address=address_of(case, added.piece),
        piece=added.piece,
        new=added.new,
        entry=added.entry,
        damaged=facts.damaged,
    )


def keep_in(
    store: Store,
    case: str,
    target: str,
    facts: Facts,
    adding: Adding,
    *,
    action: str = "add",
    expect: str | None = None,
) -> Added:
    """The bytes of a target into a case, if the budget has room for them and their SHA-256 is as expected."""
    from cryoscope.workflows.budget import check

    source = bytes_at(target)
    try:
        check(store, source.size or 0, settings())
        return store.add(
            case,
            source,
            facts,
            action=action,
            reason=adding.reason,
            frames=adding.frames,
            expect=expect,
            progress=adding.progress(target),
        )
    finally:
        source.close()


def bytes_at(target: str) -> ByteSource:
    """A target's bytes, of a folder as a tar; raises `UsageError` for a pipe, and for evidence."""
    if target.startswith(CASE):
        raise UsageError(
            "is evidence already",
            hint="`cryoscope case export --plain` gives its bytes as a file, to be added elsewhere",
            code="case.evidence",
        )
    if target == STANDARD_INPUT:
        raise UsageError(
            "evidence is read more than once, and a pipe cannot be",
            hint="save it to a file, and add that",
            code="case.pipe",
        )
    try:
        if os.path.isdir(target):
            from cryoscope.evidence.forms import packed

            return packed(target)
        return source_at(target)
    except OSError as error:
        raise unreadable(target, error) from None


def facts_of(target: str, *, as_is: bool = False) -> Facts:
    """What an archive says of itself; raises `ArchiveError` for what is no checkpoint."""
    name = os.path.basename(os.path.normpath(shown(target))) or shown(target)
    versions = {"cryoscope": __version__}
    if target == STANDARD_INPUT or target.startswith(CASE):
        bytes_at(target)
    try:
        with open_at(target) as archive:
            found, damaged = read_overview(archive)
    except ArchiveError as error:
        if as_is and not error.code.startswith("open."):
            return Facts(name=name, versions=versions, damaged=[readable(error.message)])
        raise _no_checkpoint(error) from None
    return Facts(
        name=name,
        captured=found.checkpointed,
        engine=found.engine,
        container=found.name,
        container_id=found.id,
        pod=found.pod,
        namespace=found.namespace,
        node=None,
        image=found.image,
        versions=versions,
        damaged=[readable(f"{each.part}: {each.problem}" if each.part else each.problem) for each in damaged],
    )


def _no_checkpoint(error: ArchiveError) -> ArchiveError:
    """The error with the way around it."""
    if error.code.startswith("open.") or error.code == UNREADABLE:
        return error
    hint = "; ".join(filter(None, (error.hint, "--as-is keeps it all the same")))
    return type(error)(error.message, hint=hint, code=error.code)
