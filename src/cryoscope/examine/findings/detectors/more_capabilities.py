"""Processes with capabilities that the container was not given."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.checkpoint.process import Process
from cryoscope.checkpoint.process.credentials import Credentials
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_process
from cryoscope.examine.findings.scene import Scene

DANGEROUS = frozenset(
    """CAP_SYS_ADMIN CAP_SYS_PTRACE CAP_SYS_MODULE CAP_SYS_RAWIO CAP_DAC_READ_SEARCH CAP_BPF CAP_PERFMON
    CAP_SYS_BOOT CAP_MKNOD CAP_NET_ADMIN CAP_SYSLOG CAP_MAC_ADMIN CAP_MAC_OVERRIDE
    CAP_CHECKPOINT_RESTORE""".split()  # noqa: SIM905
)
"""Those that lead out of a container, alone or with little more."""


def look(scene: Scene) -> Iterator[Suspicion]:
    """Effective and permitted capabilities against the spec's, where there is one."""
    spec = scene.container.process
    if spec is None or not spec.capabilities:
        return
    given = {name.upper() for names in spec.capabilities.values() for name in names}
    for process in scene.processes:
        if process.credentials is not None and (more := sorted(_held(process.credentials) - given)):
            yield _judged(scene, process, more)


def _held(credentials: Credentials) -> set[str]:
    return {*credentials.cap_effective, *credentials.cap_permitted}


def _judged(scene: Scene, process: Process, more: list[str]) -> Suspicion:
    evidence = of_process(process, f"has {', '.join(more)}, which its container was not given")
    if _other_user_namespace(scene, process):
        return Suspicion([evidence], "info", "A process has all capabilities in a user namespace of its own")
    if not scene.inside(process):
        return Suspicion(
            [evidence], "medium", "A process from outside has more capabilities than its container"
        )
    return Suspicion([evidence], "high" if DANGEROUS & set(more) else "medium")


def _other_user_namespace(scene: Scene, process: Process) -> bool:
    """Whether its rights hold in a namespace below the container's: browsers make one."""
    first = scene.first
    if first is None or first is process:
        return False
    return process.namespaces.get("user") != first.namespaces.get("user")


DETECTOR = Detector(
    name="more-capabilities",
    title="A process has capabilities that its container was not given",
    severity="high",
    why="The bounding set keeps every process of a container within the capabilities of its definition. One"
    " that has more got them through the kernel, or was started from outside with more rights.",
    next=[
        "cryoscope inspect ARCHIVE shows the capabilities of every process and those of the definition",
        "look for traces of kernel exploits, and at the host itself",
    ],
    techniques=["T1068", "T1611"],
    references=["MITRE ATT&CK T1068, Exploitation for Privilege Escalation", "capabilities(7)"],
    look=look,
)
