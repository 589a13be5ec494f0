"""Processes that were started in the container from outside."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_process
from cryoscope.examine.findings.scene import Scene

UNKNOWN = "process.pstree-missing"
"""Damage after which nobody knows who started whom."""


def look(scene: Scene) -> Iterator[Suspicion]:
    """The roots of the tree besides the first process: their parents are outside of the container."""
    processes = scene.processes
    if any(damaged.code == UNKNOWN for damaged in scene.checkpoint.damaged):
        return
    for process in processes:
        if process.ppid not in scene.by_pid and process is not scene.first:
            yield Suspicion([of_process(process, "descends from no process of the container")])


DETECTOR = Detector(
    name="foreign-process",
    title="A process was started from outside of the container",
    severity="info",
    why="Everything that a container runs by itself descends from its first process. What does not was put "
    "there by an engine's exec or by nsenter: an administrator, a health check, or somebody with rights"
    " on the host.",
    next=[
        "the API server's audit log (pods/exec) and the engine's events name who asked",
        "health checks of the container's definition run the same way",
    ],
    techniques=["T1609"],
    references=["MITRE ATT&CK T1609, Container Administration Command"],
    look=look,
)
