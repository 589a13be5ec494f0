"""`case export`: evidence as a folder that verifies on a machine without Cryoscope."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from cryoscope import __version__
from cryoscope.errors import UsageError
from cryoscope.text import readable
from cryoscope.workflows.cases import address_of
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, answer
from cryoscope.workflows.store import store_for

if TYPE_CHECKING:
    from cryoscope.workflows.open import Progress


class ExportedPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """The bundle of one case: pieces with their bytes, entries of its log, all `files` and their bytes."""

    folder: str
    pieces: int = 0
    entries: int = 0
    bytes: int = 0
    files: list[str] = []


class Exporting(msgspec.Struct, kw_only=True):
    """What to export: some `pieces` or all, as stored or `plain`, newly encrypted to `recipients`."""

    folder: str
    pieces: Sequence[str] = ()
    plain: bool = False
    recipients: Sequence[str] = ()
    identities: Sequence[str] = ()
    reason: str = ""
    progress: Callable[[str], Progress | None] = lambda _target: None


def _possible(exporting: Exporting) -> None:
    """What is wrong with the question is said before the log has it that evidence went out."""
    from cryoscope.evidence.forms import check_recipients

    check_recipients(exporting.recipients)
    if os.path.lexists(exporting.folder):
        raise UsageError(
            f"{readable(exporting.folder)} is there already", hint="name a new folder", code="bundle.exists"
        )


def export(case: str, exporting: Exporting) -> Answer:
    """Write the bundle of a case; its custody log says so before, and is in the bundle."""
    from cryoscope.evidence import bundle

    with store_for("export", case, reason=exporting.reason, identities=exporting.identities) as store:
        chosen = [store.piece(case, reference).sha256 for reference in exporting.pieces] or None
        _possible(exporting)
        details = {"plain": exporting.plain, "recipients": [*exporting.recipients], "pieces": chosen or "all"}
        store.write(case, "export", reason=exporting.reason, details=details)
        found = bundle.export(
            case,
            store.catalogue,
            store.blobs,
            store.trust,
            exporting.folder,
            signer=store.signer,
            plain=exporting.plain,
            identities=store.identities,
            recipients=exporting.recipients,
            pieces=chosen,
            by=store.operator,
            now=store.clock(),
            version=__version__,
            progress=exporting.progress(case),
        )
    part = ExportedPart(
        archive=address_of(case),
        folder=readable(found.folder),
        pieces=found.pieces,
        entries=found.entries,
        bytes=found.bytes,
        files=[readable(name) for name in found.files],
    )
    return answer("case-export", [part], [], [])
