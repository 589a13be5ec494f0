"""Suspicions: what is wrong in a checkpoint, why that matters, and what to look at next.

    tap = findings_scan()
    with open_archive(source, tap=tap) as archive:       # compressed archives are scanned as they stream by
        result = find_findings(Checkpoint(archive), tap=tap)

A detector is one file in `detectors`: a record of words and a function `look` from the `Scene`, which holds
everything there is to ask, to suspicions with their evidence.  The patterns of all detectors are searched
for in one pass over memory, queues and files before any of them is asked.  What a detector raises becomes a
note; findings and evidence are bounded, and what is left out is counted.

Severities are a promise: `high` is an attacker's act that clean containers do not show, `medium` what a
legitimate program seldom does, `low` what explains itself in most cases, `info` what is worth knowing.
Nothing is masked here; workflows do that.
"""

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.detectors import DETECTORS
from cryoscope.examine.findings.find import find_findings, findings_scan, patterns
from cryoscope.examine.findings.records import SEVERITIES, Evidence, Finding, FindingsResult
from cryoscope.examine.findings.scene import Scene

__all__ = [
    "DETECTORS",
    "SEVERITIES",
    "Detector",
    "Evidence",
    "Finding",
    "FindingsResult",
    "Scene",
    "Suspicion",
    "find_findings",
    "findings_scan",
    "patterns",
]
