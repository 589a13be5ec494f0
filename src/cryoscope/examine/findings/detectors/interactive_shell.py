"""Shells that somebody types into, in a container that was not made for it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.checkpoint.process import Process
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_descriptor, of_process
from cryoscope.examine.findings.known.programs import is_shell
from cryoscope.examine.findings.known.streams import served, standard
from cryoscope.examine.findings.records import Evidence
from cryoscope.examine.findings.scene import Scene

INTERACTIVE = re.compile(r"-[a-zA-Z]*i[a-zA-Z]*$|--interactive$|--login$")
IDLE = re.compile(r"(?:sleep|tail|pause|tini|dumb-init|catatonit|docker-init)$")
"""First processes that do nothing: containers that are kept for people to work in."""


def look(scene: Scene) -> Iterator[Suspicion]:
    """Shells with a terminal or `-i`; none where the container itself is a shell with a terminal."""
    spec = scene.container.process
    if (spec is not None and spec.terminal) or (scene.first is not None and _typed(scene, scene.first)):
        return
    for process in scene.processes:
        evidence = _typed(scene, process)
        if evidence:
            idle = scene.first is not None and IDLE.match(scene.first.comm)
            yield Suspicion(evidence, "low" if idle or served(scene, process) else None)


def _typed(scene: Scene, process: Process) -> list[Evidence]:
    """What shows that somebody types into a shell; empty for other processes."""
    if not is_shell(process) or _runs_script(process):
        return []
    terminal = next((d for d in standard(scene, process).values() if d.type == "tty" and d.fd == 0), None)
    told = any(INTERACTIVE.match(argument) for argument in (process.cmdline or [])[1:4])
    if terminal is None and not told:
        return []
    found = [of_process(process, "is a shell that somebody types into")]
    return found + ([of_descriptor(process, terminal, "is a terminal")] if terminal is not None else [])


def _runs_script(process: Process) -> bool:
    """Whether a shell was given a command or a script: those have the terminal of who started them."""
    arguments = (process.cmdline or [])[1:]
    return any(
        not argument.startswith("-") or re.match(r"-[a-zA-Z]*c", argument) for argument in arguments[:1]
    )


DETECTOR = Detector(
    name="interactive-shell",
    title="Somebody had a shell open in the container",
    severity="medium",
    why="A service needs nobody who types. A shell with a terminal is a session of an administrator "
    "(kubectl exec, docker exec, ssh), or of somebody who got in.",
    next=[
        "ask who: the API server's audit log and the engine's events name the user of an exec",
        "cryoscope bash-history ARCHIVE: what was typed",
        "cryoscope ps -f tree ARCHIVE: whether the service itself started the shell",
    ],
    techniques=["T1059.004", "T1609"],
    references=["MITRE ATT&CK T1609, Container Administration Command"],
    look=look,
)
