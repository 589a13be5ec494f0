"""Secrets in environments, where every process of the user can read them."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_process
from cryoscope.examine.findings.scene import Scene
from cryoscope.examine.secrets.records import Known
from cryoscope.examine.secrets.rules.named import judge_variable


def look(scene: Scene) -> Iterator[Suspicion]:
    """Variables with telling names, each once for the process that has it first; values are not shown."""
    seen = set[tuple[str, str]]()
    for process in scene.processes:
        for name, value in scene.environment(process.pid).items():
            if (name, value) in seen or not _secret(name, value):
                continue
            seen.add((name, value))
            what = "an environment holds what looks like a secret"
            yield Suspicion([of_process(process, what, text=f"{name}=…")])


def _secret(name: str, value: str) -> bool:
    variable = f"{name}={value}".encode("utf-8", "replace")
    return any(verdict.confidence == "high" for verdict in judge_variable(variable, Known()))


DETECTOR = Detector(
    name="secret-environment",
    title="Secrets are in environments",
    severity="info",
    why="A variable is inherited by every child, stands in /proc/PID/environ and in the engine's "
    "settings, and is the first thing that is looked for after a break-in. It is common practice all "
    "the same.",
    next=[
        "cryoscope env and cryoscope secrets ARCHIVE: which secrets, and which processes have them",
        "if the container was taken over, they are known: change them",
    ],
    techniques=["T1552"],
    references=[
        "MITRE ATT&CK T1552, Unsecured Credentials",
        "OWASP Secrets Management Cheat Sheet",
    ],
    look=look,
)
