"""A program that runs and did not come with the image: the container wrote it."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_file, of_process
from cryoscope.examine.findings.known.folders import temporary
from cryoscope.examine.findings.known.packages import packages
from cryoscope.examine.findings.scene import Scene


def look(scene: Scene) -> Iterator[Suspicion]:
    """Programs of processes among the changed files; those in temporary folders are another's."""
    for process in scene.processes:
        written = scene.changed(process.exe)
        if written is None or written.origin != "rootfs" or process.exe_deleted or temporary(process.exe):
            continue
        evidence = [
            of_process(process, "runs a program that is not the image's"),
            of_file(written, "was written in the container"),
        ]
        yield Suspicion(evidence, "low" if packages(scene).perhaps(written) else None)


DETECTOR = Detector(
    name="added-executable",
    title="A program runs that the container wrote itself",
    severity="medium",
    why="What a container runs is in its image. A program that was added or replaced since came from "
    "somewhere else: an upload, a download, a package manager, or a build within the container.",
    next=[
        "cryoscope fs ls ARCHIVE names the other files that were written, with their times",
        "cryoscope fs hash ARCHIVE PATH, and the hash in a database of malware",
        "compare with the image: cryoscope fs --base",
    ],
    techniques=["T1105"],
    references=["MITRE ATT&CK T1105, Ingress Tool Transfer"],
    look=look,
)
