"""A container that was given the host's rights from the start."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.records import Evidence
from cryoscope.examine.findings.scene import Scene

MANY = 36
"""Capabilities of a privileged container: all that the kernel knows, 38 and more since Linux 5.0."""

MIGHTY = {
    "CAP_SYS_ADMIN": "mounts file systems",
    "CAP_SYS_MODULE": "loads kernel modules",
    "CAP_SYS_PTRACE": "reads and changes other processes",
    "CAP_SYS_RAWIO": "reaches hardware past the kernel",
    "CAP_DAC_READ_SEARCH": "opens files by number, past mounts",
    "CAP_BPF": "loads programs into the kernel",
    "CAP_PERFMON": "watches the kernel",
    "CAP_SYS_BOOT": "starts another kernel",
    "CAP_NET_ADMIN": "changes the network",
    "CAP_MKNOD": "makes devices",
}
"""Capabilities that engines do not give unless told, and what one can do with each."""


def look(scene: Scene) -> Iterator[Suspicion]:
    """What the runtime's spec gives to the first process."""
    process = scene.container.process
    if process is None:
        return
    bounding = set(process.capabilities.get("bounding", []))
    if len(bounding) >= MANY:
        text = f"{len(bounding)} capabilities"
        yield Suspicion([Evidence(what="every capability is in its bounding set", text=text)])
        return
    for name in sorted(bounding.intersection(MIGHTY) - {"CAP_MKNOD"}):
        severity, title = "low", "The container has capabilities that lead to the host"
        yield Suspicion([Evidence(what=f"{name}: {MIGHTY[name]}", text=name)], severity, title)


DETECTOR = Detector(
    name="privileged-container",
    title="The container is privileged",
    severity="medium",
    why="Nothing keeps root in a privileged container from the host: it mounts its disks and loads its "
    "modules. The spec says it was meant so; whoever took the container over has it all the same.",
    next=[
        "who made the container so: the pod's description and the API server's audit log",
        ("cryoscope mounts and cryoscope ps: has somebody mounted a disk, or left for the host with nsenter"),
    ],
    techniques=["T1611", "T1610"],
    references=[
        "Kubernetes Pod Security Standards: privileged",
        "capabilities(7)",
    ],
    look=look,
)
