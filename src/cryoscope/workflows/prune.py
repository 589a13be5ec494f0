"""Old evidence goes by rules: what would go is told, or goes.

pieces -> evidence.retention.plan -> Store.prune, one after the other, each in its case's log
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from cryoscope.errors import CryoscopeError, UsageError
from cryoscope.settings import Retention, settings
from cryoscope.text import readable
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, Failure, answer

if TYPE_CHECKING:
    from cryoscope.evidence.retention import Doomed, Rule
    from cryoscope.evidence.store import Store

STORE = "store"
"""What stands for an archive where all cases are looked at."""


class Gone(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A piece or a file that a rule has go; `time` (UTC) is since when it was there, `size` in bytes.

    `done` is false in a dry run, and where it was left all the same for the reason in `left`.
    """

    address: str
    name: str
    time: str
    size: int
    why: str
    done: bool = False
    left: str | None = None


class PrunePart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """What went, or would go in a dry run, oldest first; `kept` counts the rest, `freed` is in bytes.

    `notes` are what one should know: files whose container is not known, a store that is not asked.
    """

    dry_run: bool
    gone: list[Gone] = []
    kept: int = 0
    freed: int = 0
    notes: list[str] = []

    def rows(self) -> list[Any]:
        return [*self.gone]


def rules_of(given: Sequence[Retention]) -> list[Rule]:
    """The rules that were given, else those of the settings; raises `UsageError` (`retention.…`)."""
    from cryoscope.evidence.retention import rule

    found = [
        rule(per=each.per, count=each.count, age=each.age, size=each.size)
        for each in given or settings().retention
    ]
    if found:
        return found
    raise UsageError(
        "there is no rule by which anything would go",
        hint="give --keep, --older or --larger, or [[retention]] in the settings",
        code="retention.no-rules",
    )


def prune_store(
    given: Sequence[Retention] = (), *, case: str | None = None, dry_run: bool = True, reason: str = ""
) -> Answer:
    """Prune the store that the settings name, or one case of it; see `prune`."""
    from cryoscope.workflows.store import store_for

    rules = rules_of(given)
    with store_for("prune", case, reason=reason) as store:
        return prune(store, rules, case=case, dry_run=dry_run, reason=reason)


def prune(
    store: Store, rules: Sequence[Rule], *, case: str | None = None, dry_run: bool = True, reason: str = ""
) -> Answer:
    """Remove what the rules have go from a store, or from one case as if there were no other.

    What cannot be removed keeps nothing else from going.
    """
    from cryoscope.evidence.ports import Filter
    from cryoscope.evidence.records import KEPT
    from cryoscope.evidence.retention import plan

    notes = [] if dry_run else _swept(store)
    cases = [store.case(case)] if case else store.cases()
    pieces = store.pieces(Filter(case=case, state=KEPT))
    doomed = plan(pieces, rules, store.clock(), held={each.name for each in cases if each.hold})
    failures: list[Failure] = []
    doomed = doomed if dry_run else _vouched(store, doomed, failures)
    gone = [
        each
        for doom in doomed
        for each in _gone(store, doom, dry_run=dry_run, reason=reason, failures=failures)
    ]
    part = part_of(f"case://{case}" if case else STORE, gone, len(pieces), dry_run=dry_run, notes=notes)
    return answer("prune", [part], [], failures)


def _vouched(store: Store, doomed: list[Doomed], failures: list[Failure]) -> list[Doomed]:
    """Those of cases whose rows are what their logs say: nobody may have taken a hold out of a row."""
    from cryoscope.evidence.vouched import vouched

    refused = set()
    for case in sorted({doom.piece.case for doom in doomed}):
        try:
            vouched(case, store.catalogue, store.trust)
        except CryoscopeError as error:
            failures.append((f"case://{readable(case)}", error))
            refused.add(case)
    return [doom for doom in doomed if doom.piece.case not in refused]


def _swept(store: Store) -> list[str]:
    """What runs that were killed had left, and is gone now."""
    swept = store.sweep()
    told = {
        "pruned to its end": len(swept.pruned),
        "taken away that no entry names": len(swept.orphans),
        "taken away that was never whole": len(swept.uploads),
    }
    return [f"left by a run that was killed, {what}: {count}" for what, count in told.items() if count]


def part_of(
    archive: str, gone: list[Gone], of: int, *, dry_run: bool, notes: Sequence[str] = ()
) -> PrunePart:
    """The part of what goes of so many pieces or files."""
    going = [each for each in gone if each.left is None]
    return PrunePart(
        archive=archive,
        dry_run=dry_run,
        gone=gone,
        kept=of - len(going),
        freed=sum(each.size for each in going),
        notes=[*notes],
    )


def _gone(
    store: Store, doom: Doomed, *, dry_run: bool, reason: str, failures: list[Failure]
) -> Iterator[Gone]:
    """One piece, removed unless this is a dry run."""
    piece = doom.piece
    gone = Gone(
        address=f"case://{piece.case}/{piece.sha256[:12]}",
        name=readable(piece.name),
        time=piece.added,
        size=piece.stored.size,
        why=doom.why,
    )
    if dry_run:
        yield gone
        return
    try:
        store.prune(piece, doom.why, reason=reason)
    except CryoscopeError as error:
        if error.code != "case.held":
            failures.append((gone.address, error))
        yield msgspec.structs.replace(gone, left=readable(error.message))
    else:
        yield msgspec.structs.replace(gone, done=True)
