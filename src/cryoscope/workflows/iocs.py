"""`iocs`: indicators of compromise of each archive, passwords in them masked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.keep import StackEnds
from cryoscope.errors import Damaged
from cryoscope.examine.findings import find_findings, findings_scan
from cryoscope.examine.iocs import CONFIDENCES, KINDS, Ioc, Sighting, find_iocs
from cryoscope.examine.iocs.signature import LEAST
from cryoscope.text import readable
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, Asking, answer, each_until_stopped
from cryoscope.workflows.findings import INCOMPLETE
from cryoscope.workflows.masking import MASK, Masker
from cryoscope.workflows.open import open_at
from cryoscope.workflows.rules import More


class IocsPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `iocs`: when its container was seen (RFC 3339), and its indicators, the surest first.

    `container` is its name as far as the archive says; `notes` says what was left out; `complete` is false
    where the search was stopped.
    """

    seen: str
    container: str | None = None
    iocs: list[Ioc]
    notes: list[str] = []
    complete: bool = True

    def rows(self) -> list[Any]:
        return list(self.iocs)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which kinds, how sure at least, and what is left out otherwise.

    `now` is the time that stands for that of the checkpoint where the archive does not say it.
    """

    now: str
    kinds: Sequence[str] = ()
    least: str = "low"
    private: bool = False
    noise: bool = False
    more: More = More()


def iocs_of(targets: Sequence[str], wanted: Wanted, asking: Asking) -> Answer:
    """The indicators in each target; an interrupted search ends with exit code 5 and what was found."""

    def skipped(target: str) -> IocsPart:
        return IocsPart(archive=readable(target), seen=wanted.now, iocs=[], complete=False)

    def read(target: str) -> tuple[IocsPart, list[Damaged]]:
        tap, progress = findings_scan(wanted.more.detectors), asking.progress(target)
        damaged: list[Damaged] = []
        with open_at(
            target, cache=asking.cache, access=asking.access, keep=StackEnds(), progress=progress, tap=tap
        ) as archive:
            checkpoint = Checkpoint(archive)
            found = find_findings(
                checkpoint, wanted.more.detectors, tap=tap, damaged=damaged, progress=progress
            )
            part = _part(target, checkpoint, found, wanted, asking.masker, damaged)
            return part, list(dict.fromkeys([*checkpoint.damaged, *damaged]))

    answered = answer("iocs", *each_until_stopped(targets, read, skipped))
    stopped = any(not part.complete for part in answered.document.archives)
    return msgspec.structs.replace(answered, exit_code=INCOMPLETE) if stopped else answered


def _part(
    target: str, checkpoint: Checkpoint, found: Any, wanted: Wanted, masker: Masker, damaged: list[Damaged]
) -> IocsPart:
    judged = wanted.more.judged(found)
    result = find_iocs(
        checkpoint,
        kinds=wanted.kinds or KINDS,
        findings=judged.findings,
        private=wanted.private,
        noise=wanted.noise,
        damaged=damaged,
    )
    container = checkpoint.container
    return IocsPart(
        archive=readable(target),
        seen=container.checkpointed or wanted.now,
        container=container.name,
        iocs=[masked(ioc, masker) for ioc in result.iocs if _sure(ioc, wanted.least)],
        notes=[masker.text(readable(note)) for note in (*judged.notes, *result.notes)],
        complete=found.complete,
    )


def _sure(ioc: Ioc, least: str) -> bool:
    return CONFIDENCES.index(ioc.confidence) >= CONFIDENCES.index(least)


def masked(ioc: Ioc, masker: Masker) -> Ioc:
    """An indicator without passwords in its address, its rows and in what was seen around it."""
    return msgspec.structs.replace(
        ioc,
        value=masker.text(ioc.value),
        why=masker.text(ioc.why),
        signature=_signature(ioc.signature, masker),
        sightings=[_sighting(one, masker) for one in ioc.sightings],
    )


def _signature(rows: list[str], masker: Masker) -> list[str]:
    """The rows that show no secret, if enough are left: a masked row would match nothing."""
    texts = [bytes.fromhex(row).decode("utf-8", "replace") for row in rows]
    kept = [row for row, text in zip(rows, texts, strict=True) if _words(text, masker) == text]
    return kept if len(kept) >= LEAST else []


def _words(text: str, masker: Masker) -> str:
    return " ".join(masker.arguments(masker.text(text).split(" ")))


def _sighting(sighting: Sighting, masker: Masker) -> Sighting:
    if sighting.text is None:
        return sighting
    text = _words(sighting.text, masker)
    return msgspec.structs.replace(sighting, text=text) if text != sighting.text else sighting


def huntable(parts: Sequence[IocsPart]) -> list[IocsPart]:
    """The parts without indicators of which something is masked: nobody could find those."""
    return [
        msgspec.structs.replace(part, iocs=[ioc for ioc in part.iocs if MASK not in ioc.value])
        for part in parts
    ]
