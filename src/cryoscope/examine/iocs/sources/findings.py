"""What detectors found: the files and words that findings rest on."""

from __future__ import annotations

from cryoscope.examine.findings import Evidence, Finding
from cryoscope.examine.iocs.asked import Asked
from cryoscope.examine.iocs.records import Sighting
from cryoscope.examine.iocs.sources.files import add_file

GRAVE = ("medium", "high")


def collect(asked: Asked) -> None:
    """Indicators in the evidence of findings that are grave: as sure as the findings are."""
    for finding in asked.findings:
        if finding.severity in GRAVE:
            for evidence in finding.evidence:
                _evidence(asked, finding, evidence)


def _evidence(asked: Asked, finding: Finding, evidence: Evidence) -> None:
    why = f"{finding.detector}: {evidence.what}"
    entry = asked.checkpoint.filesystem.find(evidence.path) if evidence.path else None
    if entry is not None and entry.has_contents and entry.size:
        (hashed,) = asked.checkpoint.filesystem.hashes([entry])
        add_file(asked, hashed, finding.severity, why)
    if evidence.sha256 is not None:
        asked.found.raise_to("sha256", evidence.sha256, finding.severity, why)
    if evidence.text is not None:
        sighting = Sighting(
            source="finding",
            pid=evidence.pid,
            comm=evidence.comm,
            fd=evidence.fd,
            address=evidence.address,
            path=evidence.path,
            text=f"{finding.detector}: {evidence.text}",
        )
        asked.text(evidence.text.encode("utf-8", "replace"), finding.severity, why, sighting)
