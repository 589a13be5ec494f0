"""CRIU used within the container: processes dumped, or others put in their place."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_hit, of_process
from cryoscope.examine.findings.known.evidences import distinct, in_files
from cryoscope.examine.findings.known.programs import names
from cryoscope.examine.findings.scene import Scene
from cryoscope.examine.search.patterns import Pattern

COMMAND = Pattern(
    "command",
    rb"\bcriu[ \0](?:[\w./=-]+[ \0])*(?:dump|pre-dump|restore)[ \0](?:[\w./=-]+[ \0])*"
    rb"(?:-t|--tree|-D|--images-dir)\b",
)
ACTIONS = re.compile(r"\b(?:dump|pre-dump|restore|page-server|service|swrk|lazy-pages)\b")


def look(scene: Scene) -> Iterator[Suspicion]:
    """Processes called criu, and commands that dump or restore in memory and files."""
    for process in scene.processes:
        if "criu" in names(process) and ACTIONS.search(process.command):
            yield Suspicion([of_process(process, "CRIU runs in the container")])
        elif re.search(r"\bcriu\s+(?:dump|pre-dump|restore)\b", process.command):
            yield Suspicion([of_process(process, "a command line calls CRIU")])
    for hit in distinct(scene.hits("criu-inside")):
        place = "a file" if in_files(hit) else hit.place
        yield Suspicion([of_hit(hit, f"a command that dumps or restores processes, in {place}")])


DETECTOR = Detector(
    name="criu-inside",
    title="CRIU is used within the container",
    severity="medium",
    why="`criu dump -t PID` writes the memory of a process to files: keys and passwords of every process "
    "in reach. `criu restore` puts processes into the container that no engine started. Programs "
    "that checkpoint themselves, as CRaC for Java does, are the harmless reason.",
    next=[
        "cryoscope fs ls ARCHIVE '*.img': images of processes that were dumped",
        ("which rights it had: CAP_CHECKPOINT_RESTORE, CAP_SYS_PTRACE or CAP_SYS_ADMIN (cryoscope ps --pid)"),
    ],
    techniques=["T1003", "T1055"],
    references=[
        "criu(8)",
        "capabilities(7), CAP_CHECKPOINT_RESTORE",
        "MITRE ATT&CK T1003, OS Credential Dumping",
    ],
    look=look,
    patterns=(COMMAND,),
)
