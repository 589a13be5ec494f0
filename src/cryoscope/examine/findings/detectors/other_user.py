"""Root processes in a container that was to run as another user."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_process
from cryoscope.examine.findings.scene import Scene


def look(scene: Scene) -> Iterator[Suspicion]:
    """Processes with the real, effective or saved user 0, where the spec names another."""
    spec = scene.container.process
    if spec is None or not spec.uid:
        return
    for process in scene.processes:
        own = process.credentials
        if own is None or 0 not in (own.uid, own.euid, own.suid, own.fsuid):
            continue
        first = scene.first
        if first is not None and process.namespaces.get("user") != first.namespaces.get("user"):
            continue  # root of a user namespace of its own is nobody outside of it
        what = f"is root, and the container was to run as user {spec.uid}"
        yield Suspicion([of_process(process, what)], None if scene.inside(process) else "low")


DETECTOR = Detector(
    name="other-user",
    title="A process became root in a container of another user",
    severity="medium",
    why="The container was started as a user without rights, so that a weakness in it gives few. A process "
    "of root came from a setuid program such as sudo, from an exploit, or from outside.",
    next=[
        "findings of setuid files, and cryoscope ps -f tree ARCHIVE: what started the process",
        "no_new_privs in the container's definition would have kept setuid programs from it",
    ],
    techniques=["T1548.001", "T1068"],
    references=["MITRE ATT&CK T1548.001, Setuid and Setgid", "credentials(7)"],
    look=look,
)
