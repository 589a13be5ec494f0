"""A process whose program is no longer there: deleted while it ran."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.checkpoint.process import Process
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_file, of_process
from cryoscope.examine.findings.known.folders import hidden, temporary
from cryoscope.examine.findings.known.packages import packages
from cryoscope.examine.findings.scene import Scene

MEMFD = "/memfd:"
WITHOUT_FILES = ("docker", "criu")
"""Engines whose checkpoints do not tell whether a program that updates itself lies at the path again."""


def look(scene: Scene) -> Iterator[Suspicion]:
    """Processes whose executable had been unlinked; programs in memfds are another detector's."""
    for process in scene.processes:
        if process.exe and process.exe_deleted and not process.exe.startswith(MEMFD):
            yield _judged(scene, process, process.exe)


def _judged(scene: Scene, process: Process, exe: str) -> Suspicion:
    """A program that another one lies in place of was upgraded, by a package manager or by itself."""
    evidence = [of_process(process, "runs a program that was deleted")]
    successor = scene.changed(exe)
    if successor is not None:
        evidence.append(of_file(successor, "is what lies in its place"))
        if packages(scene).perhaps(successor):
            return Suspicion(evidence, "low", "A process runs a program that was upgraded since")
    if hidden(exe) or temporary(exe):
        return Suspicion(evidence)
    if successor is not None:
        return Suspicion(evidence, "medium", "A process runs a program that was replaced since")
    return Suspicion(evidence, "medium" if scene.container.engine in WITHOUT_FILES else None)


DETECTOR = Detector(
    name="deleted-executable",
    title="A process runs a program that was deleted",
    severity="high",
    why="Malware deletes its own file once it runs, so that nobody finds it on disk. Containers seldom "
    "upgrade programs in place, the usual harmless reason on a host; agents that update themselves do.",
    next=[
        "cryoscope fs cat ARCHIVE PATH shows the deleted file where it was still open",
        "cryoscope extract -p PID --all -o FOLDER ARCHIVE saves the program's memory",
        "look for the process's parent, its sockets and when it was started",
    ],
    techniques=["T1070.004"],
    references=["MITRE ATT&CK T1070.004, Indicator Removal: File Deletion", "proc(5), /proc/pid/exe"],
    look=look,
)
