"""A program that runs out of a folder that everybody may write to, or out of memory made to look like one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.checkpoint.process import Process
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_file, of_process
from cryoscope.examine.findings.known.folders import hidden, temporary
from cryoscope.examine.findings.scene import Scene

SHARED_MEMORY = re.compile(r"/(?:dev/shm|run/shm|dev/mqueue)/")
HARMLESS = re.compile(
    r"/(?:var/)?tmp/(?:go-build\d+/|\.mount_\w+/|_MEI\w+/|rust\w*/|cargo-install\w+/|pytest-)"
)
"""Where build tools and self-extracting programs run what they have made."""


def look(scene: Scene) -> Iterator[Suspicion]:
    """Programs in /tmp and the like, or on any tmpfs; deleted ones lie nowhere any more but did."""
    for process in scene.processes:
        exe = process.exe or ""
        written = scene.changed(exe)
        in_memory = written is not None and written.origin in ("tmpfs", "devshm")
        if not (temporary(exe) or in_memory):
            continue
        evidence = [of_process(process, "runs a program out of a folder for temporary files")]
        if written is not None:
            evidence.append(of_file(written, "is the program"))
        yield Suspicion(evidence, _severity(process, exe))


def _severity(process: Process, exe: str) -> str:
    if HARMLESS.match(exe):
        return "low"
    return "high" if SHARED_MEMORY.match(exe) or hidden(exe) else "medium"


DETECTOR = Detector(
    name="temporary-executable",
    title="A program runs out of a folder for temporary files",
    severity="medium",
    why="What gets in through a weakness of a service can mostly write to /tmp, /var/tmp and /dev/shm only,"
    " and runs from there; /dev/shm is memory, so nothing is left after a restart. Images keep their "
    "programs elsewhere; builds and self-extracting programs are the harmless reason.",
    next=[
        "cryoscope fs cat ARCHIVE PATH, and its hash in a database of malware",
        "look at the process's parent, its sockets and the other files of that folder",
    ],
    techniques=["T1059.004", "T1036.005"],
    references=["MITRE ATT&CK T1036.005, Masquerading: Match Legitimate Resource Name or Location"],
    look=look,
)
