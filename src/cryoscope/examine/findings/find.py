"""Asking all detectors: one search for the patterns of all of them, then each in turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.detectors import DETECTORS
from cryoscope.examine.findings.records import SEVERITIES, Evidence, Finding, FindingsResult
from cryoscope.examine.findings.scene import Scene
from cryoscope.examine.search.hits import Hit
from cryoscope.examine.search.patterns import Pattern
from cryoscope.examine.search.scan import Progress
from cryoscope.examine.search.search import search
from cryoscope.examine.search.tapped import StreamScan
from cryoscope.text import readable

PREFIX = "finding:"
"""What the names of detectors' patterns begin with, so that others can be searched in the same pass."""


def patterns(detectors: Sequence[Detector] = DETECTORS) -> list[Pattern]:
    """What the search engine is asked for: each pattern named by its detector."""
    return [
        msgspec.structs.replace(found, name=f"{PREFIX}{detector.name}#{found.name}")
        for detector in detectors
        for found in detector.patterns
    ]


def findings_scan(detectors: Sequence[Detector] = DETECTORS) -> StreamScan | None:
    """What to open an archive with, so that one that is compressed is unpacked only once."""
    asked = patterns(detectors)
    return StreamScan(asked) if asked else None


def find_findings(
    checkpoint: Checkpoint,
    detectors: Sequence[Detector] = DETECTORS,
    *,
    tap: StreamScan | None = None,
    hits: Sequence[Hit] | None = None,
    damaged: list[Damaged] | None = None,
    progress: Progress | None = None,
) -> FindingsResult:
    """What `detectors` find in a checkpoint, the worst first.

    `tap` is the `findings_scan` of the same detectors that the archive was opened with; or `hits` are
    those of a search for (also) their `patterns`.  What could not be read is appended to `damaged`.
    An interrupt (KeyboardInterrupt) ends the scan with what was found until then.
    """
    damaged = damaged if damaged is not None else []
    notes: list[str] = []
    complete = True
    if hits is None and (asked := patterns(detectors)):
        result = search(checkpoint, asked, tap=tap, damaged=damaged, progress=progress)
        hits, complete = result.hits, result.complete
        notes += [note.replace(PREFIX, "") for note in result.notes]
    asking = _Asking(Scene(checkpoint, hits_by_detector(hits or ()), damaged), notes)
    try:
        for detector in detectors:
            asking.ask(detector)
    except KeyboardInterrupt:
        complete = False
    found = asking.findings()
    return FindingsResult(findings=found, detectors=len(detectors), notes=notes, complete=complete)


def hits_by_detector(hits: Sequence[Hit]) -> dict[str, list[Hit]]:
    """The hits of detectors' patterns by detector, each with its pattern's own name."""
    found: dict[str, list[Hit]] = {}
    for hit in hits:
        if hit.pattern.startswith(PREFIX):
            detector, _, pattern = hit.pattern.removeprefix(PREFIX).partition("#")
            found.setdefault(detector, []).append(msgspec.structs.replace(hit, pattern=pattern))
    return found


class _Asking:
    """Collects what detectors say into findings."""

    def __init__(self, scene: Scene, notes: list[str]) -> None:
        self.scene = scene
        self.notes = notes
        self._groups: dict[tuple[str, str, str], _Group] = {}
        self._left_out = 0

    def ask(self, detector: Detector) -> None:
        """Everything one detector sees, as far as it gets."""
        try:
            for suspicion in self._suspicions(detector):
                self._take(detector, suspicion)
        except CryoscopeError as error:
            self.notes.append(f"{detector.name}: {error.message}")
        except Exception as error:  # a detector may be somebody else's, and the others must be heard
            self.notes.append(f"{detector.name} failed: {type(error).__name__}: {readable(str(error))[:200]}")

    def _suspicions(self, detector: Detector) -> Iterator[Suspicion]:
        seen = iter(detector.look(self.scene))
        yield from islice(seen, limits.FINDING_SUSPICIONS)
        if next(seen, None) is not None:
            self.notes.append(f"{detector.name}: stopped after {limits.FINDING_SUSPICIONS} suspicions")

    def _take(self, detector: Detector, suspicion: Suspicion) -> None:
        severity, title = suspicion.severity or detector.severity, suspicion.title or detector.title
        if severity not in SEVERITIES:
            raise ValueError(f"there is no severity {severity}")
        key = (detector.name, severity, title)
        if key not in self._groups and len(self._groups) >= limits.FINDINGS:
            self._left_out += 1
        else:
            self._groups.setdefault(key, _Group(detector)).add(suspicion.evidence)

    def findings(self) -> list[Finding]:
        """The worst first, then in the order of the detectors."""
        if self._left_out:
            self.notes.append(f"{self._left_out} suspicions more are left out")
        found = [group.finding(severity, title) for (_, severity, title), group in self._groups.items()]
        return sorted(found, key=lambda finding: -SEVERITIES.index(finding.severity))


class _Group:
    """The evidence of one finding."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.evidence: dict[Evidence, None] = {}
        self.more = 0

    def add(self, evidence: Sequence[Evidence]) -> None:
        for each in evidence:
            if len(self.evidence) < limits.FINDING_EVIDENCE:
                self.evidence[each] = None
            elif each not in self.evidence:
                self.more += 1

    def finding(self, severity: str, title: str) -> Finding:
        asked = self.detector
        return Finding(
            detector=asked.name,
            severity=severity,
            title=title,
            why=asked.why,
            next=asked.next,
            techniques=asked.techniques,
            references=asked.references,
            evidence=list(self.evidence),
            more=self.more,
        )
