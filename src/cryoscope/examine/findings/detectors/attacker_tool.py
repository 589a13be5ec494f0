"""Tools that attackers bring, by the names of processes and of written programs."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.checkpoint.process import Process
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_file, of_process
from cryoscope.examine.findings.known.files import HEAD, program, runnable, written
from cryoscope.examine.findings.known.folders import base
from cryoscope.examine.findings.known.packages import packages
from cryoscope.examine.findings.known.programs import DUAL, OFFENSIVE, names
from cryoscope.examine.findings.scene import Scene

DUAL_TITLE = "Tools that attackers use, too, are run"
LYING = "Tools of attackers lie in the container"


def look(scene: Scene) -> Iterator[Suspicion]:
    """Processes first, then files that are not run."""
    for process in scene.processes:
        yield from _process(scene, process)
    for entry in written(scene):
        name = base(entry.path).lower()
        if name in OFFENSIVE and (runnable(entry) or program(scene.content(entry, HEAD))):
            yield Suspicion([of_file(entry, f"{name} {OFFENSIVE[name]}")], "medium", LYING)
        elif name in DUAL and runnable(entry) and not packages(scene).brought(entry):
            yield Suspicion([of_file(entry, f"{name} {DUAL[name]}")], "low", LYING)


def _process(scene: Scene, process: Process) -> Iterator[Suspicion]:
    found = [name.lower() for name in names(process)]
    offensive = next((name for name in found if name in OFFENSIVE), None)
    dual = next((name for name in found if name in DUAL), None)
    if offensive:
        yield Suspicion([of_process(process, f"{offensive} {OFFENSIVE[offensive]}")])
    elif dual and process is not scene.first:
        yield Suspicion([of_process(process, f"{dual} {DUAL[dual]}")], "medium", DUAL_TITLE)


DETECTOR = Detector(
    name="attacker-tool",
    title="A tool of attackers is run",
    severity="high",
    why="Services do not look for open ports, ways to more rights or other pods: somebody does who has "
    "got in and wants to get on. A name proves nothing, neither when it fits nor when it does not.",
    next=[
        "cryoscope ps -f tree ARCHIVE: who started it; cryoscope sockets: what it reached",
        "cryoscope fs ls ARCHIVE: what was written beside it",
    ],
    techniques=["T1046", "T1613", "T1059.004"],
    references=[
        "MITRE ATT&CK T1613, Container and Resource Discovery",
        "MITRE ATT&CK T1046, Network Service Discovery",
    ],
    look=look,
)
