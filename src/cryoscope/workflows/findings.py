"""`scan`: what is suspicious in each archive, with secrets in the evidence masked."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.keep import StackEnds
from cryoscope.errors import Damaged, UsageError
from cryoscope.examine.findings import (
    DETECTORS,
    SEVERITIES,
    Detector,
    Evidence,
    Finding,
    find_findings,
    findings_scan,
)
from cryoscope.examine.findings.rules import Rule, with_rules
from cryoscope.text import readable
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, Asking, answer, each_until_stopped
from cryoscope.workflows.masking import Masker
from cryoscope.workflows.open import open_at

INCOMPLETE, FOUND = 5, 10


class FindingsPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `scan`: the findings, the worst first, and how many detectors were asked.

    `notes` says what was not done as asked; `complete` is false where the scan was stopped.
    """

    findings: list[Finding]
    detectors: int
    notes: list[str] = []
    complete: bool = True

    def rows(self) -> list[Any]:
        return list(self.findings)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which detectors, of `detectors` all by name, how severe at least, and what to tell.

    `about_findings` are rules that are asked about what the detectors find; `notes` are told with each.
    """

    names: Sequence[str] = ()
    least: str = "info"
    exit_code: bool = False
    detectors: Sequence[Detector] = DETECTORS
    about_findings: Sequence[Rule] = ()
    notes: Sequence[str] = ()

    def chosen(self) -> tuple[Detector, ...]:
        """The detectors; raises UsageError for one that is not."""
        known = {one.name for one in self.detectors} | {one.name for one in self.about_findings}
        for name in self.names:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {close[0]}?" if close else "--list names them"
                raise UsageError(f"there is no detector {name}", hint=hint, code="findings.detector")
        return tuple(one for one in self.detectors if not self.names or one.name in self.names)

    def rules(self) -> list[Rule]:
        """The rules about findings."""
        return [one for one in self.about_findings if not self.names or one.name in self.names]


class DetectorLine(msgspec.Struct, frozen=True, kw_only=True):
    """A detector as `--list` shows it."""

    detector: str
    severity: str
    techniques: list[str]
    title: str


def list_detectors(detectors: Sequence[Detector | Rule] = DETECTORS) -> list[DetectorLine]:
    """All detectors in the order in which they are asked."""
    return [
        DetectorLine(detector=one.name, severity=one.severity, techniques=one.techniques, title=one.title)
        for one in detectors
    ]


def findings_of(targets: Sequence[str], wanted: Wanted, asking: Asking) -> Answer:
    """The findings in each target; a scan that is interrupted ends with exit code 5 and what was found."""
    detectors = wanted.chosen()

    def read(target: str) -> tuple[FindingsPart, list[Damaged]]:
        return _one(target, detectors, wanted, asking)

    def skipped(target: str) -> FindingsPart:
        return FindingsPart(archive=readable(target), findings=[], detectors=0, complete=False)

    found = answer("findings", *each_until_stopped(targets, read, skipped))
    return msgspec.structs.replace(found, exit_code=_code(found, wanted))


def _one(
    target: str, detectors: Sequence[Detector], wanted: Wanted, asking: Asking
) -> tuple[FindingsPart, list[Damaged]]:
    tap, progress = findings_scan(detectors), asking.progress(target)
    damaged: list[Damaged] = []
    with open_at(
        target, cache=asking.cache, access=asking.access, keep=StackEnds(), progress=progress, tap=tap
    ) as archive:
        checkpoint = Checkpoint(archive)
        found = find_findings(checkpoint, detectors, tap=tap, damaged=damaged, progress=progress)
        found = with_rules(found, wanted.rules())
        part = FindingsPart(
            archive=readable(target),
            findings=[masked(one, asking.masker) for one in found.findings if _grave(one, wanted.least)],
            detectors=found.detectors,
            notes=[asking.masker.text(readable(note)) for note in (*wanted.notes, *found.notes)],
            complete=found.complete,
        )
        return part, list(dict.fromkeys([*checkpoint.damaged, *damaged]))


def _grave(finding: Finding, least: str) -> bool:
    return SEVERITIES.index(finding.severity) >= SEVERITIES.index(least)


def masked(finding: Finding, masker: Masker) -> Finding:
    """A finding with the secrets in the words of its evidence masked."""
    evidence = [_masked(one, masker) for one in finding.evidence]
    title = masker.text(finding.title)
    if evidence == finding.evidence and title == finding.title:
        return finding
    return msgspec.structs.replace(finding, evidence=evidence, title=title)


def _masked(evidence: Evidence, masker: Masker) -> Evidence:
    text = None if evidence.text is None else _line(evidence.text, masker)
    what = masker.text(evidence.what)
    if text == evidence.text and what == evidence.what:
        return evidence
    return msgspec.structs.replace(evidence, text=text, what=what)


def _line(text: str, masker: Masker) -> str:
    """Words of which many are command lines: `--token VALUE` is masked, too."""
    return " ".join(masker.arguments(masker.text(text).split(" ")))


def _code(found: Answer, wanted: Wanted) -> int:
    parts: list[FindingsPart] = found.document.archives
    if any(not part.complete for part in parts):
        return INCOMPLETE
    if not found.exit_code and wanted.exit_code and any(part.findings for part in parts):
        return FOUND
    return found.exit_code
