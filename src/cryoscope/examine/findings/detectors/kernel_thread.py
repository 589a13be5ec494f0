"""Processes that look like threads of the kernel."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.checkpoint.process import Process
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_process
from cryoscope.examine.findings.known.folders import base
from cryoscope.examine.findings.known.kernel import bracketed, is_thread
from cryoscope.examine.findings.scene import Scene

CALLED = "writes its command line in brackets and runs"
"""The command line itself is the text of the evidence, which can be masked and left out."""


def look(scene: Scene) -> Iterator[Suspicion]:
    """Command lines in brackets, and names of the kernel's threads, of what has a program."""
    for process in scene.processes:
        if process.exe and (found := _judged(process)):
            yield found


def _judged(process: Process) -> Suspicion | None:
    first = (process.cmdline or [""])[0]
    name = bracketed(first)
    if name is not None and is_thread(name.rstrip(":")):
        return Suspicion([of_process(process, CALLED)])
    if is_thread(process.comm) and base(process.exe or "") != process.comm:
        return Suspicion([of_process(process, f"is called {process.comm} and runs")])
    if name is not None and " " not in first.strip():
        return Suspicion(
            [of_process(process, CALLED)], "medium", "A process writes its command line in brackets"
        )
    return None


DETECTOR = Detector(
    name="kernel-thread",
    title="A process pretends to be a thread of the kernel",
    severity="high",
    why="ps shows the kernel's own threads in brackets, and people skip them. No container has any: they "
    "live outside of it and have no program. A process with such a name hides.",
    next=[
        "look at the program: cryoscope ps shows its path, cryoscope fs cat its bytes",
        "look at its sockets, its parent and its environment",
    ],
    techniques=["T1036.005", "T1036.011"],
    references=["MITRE ATT&CK T1036.011, Masquerading: Overwrite Process Arguments", "ps(1)"],
    look=look,
)
