"""Processes that are confined less than the container's first one, or than its definition asks."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.checkpoint.process import Process
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_process
from cryoscope.examine.findings.scene import Scene


def look(scene: Scene) -> Iterator[Suspicion]:
    """Seccomp and the security module's label against the first process, no_new_privs against the spec."""
    first = scene.first
    for process in scene.processes:
        if process.credentials is None or first is None:
            continue
        for problem, severity in _problems(scene, process, first):
            yield Suspicion([of_process(process, problem)], severity)


def _problems(scene: Scene, process: Process, first: Process) -> Iterator[tuple[str, str]]:
    spec, credentials = scene.container.process, process.credentials
    inside = scene.inside(process)
    if first.seccomp in ("filter", "strict") and process.seccomp not in ("filter", "strict"):
        yield "has no seccomp filter, which the container's first process has", "medium" if inside else "low"
    if (
        spec is not None
        and spec.no_new_privileges
        and credentials is not None
        and not credentials.no_new_privs
    ):
        yield "may gain rights, which the container's definition forbids", "medium" if inside else "low"
    label = first.credentials.lsm_profile if first.credentials is not None else None
    if label and credentials is not None and credentials.lsm_profile != label and not inside:
        yield f"has the label {credentials.lsm_profile} and not that of the first process, {label}", "low"


DETECTOR = Detector(
    name="weaker-confinement",
    title="A process is confined less than its container",
    severity="medium",
    why="A process cannot take off its seccomp filter or no_new_privs. One without was started from outside"
    " with more rights (exec --privileged, nsenter), or its kernel was made to.",
    next=[
        "cryoscope inspect ARCHIVE shows the credentials of every process",
        "the finding foreign-process tells which processes came from outside",
    ],
    techniques=["T1611", "T1609"],
    references=["MITRE ATT&CK T1611, Escape to Host", "seccomp(2), prctl(2)"],
    look=look,
)
