"""Commands that give themselves away: remote shells in one line, downloads into a shell, encoded scripts."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.checkpoint.process import Process
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_hit, of_process, shown
from cryoscope.examine.findings.known.commands import BY_NAME, Command, hostile, patterns
from cryoscope.examine.findings.known.evidences import distinct, in_files
from cryoscope.examine.findings.scene import Scene

MILDER = "A command line does what attackers do, too"
TITLE = "Commands of attackers stand in memory or files"


def look(scene: Scene) -> Iterator[Suspicion]:
    """Command lines first: what stands in memory may only have been read."""
    for process in scene.processes:
        data = " ".join(process.cmdline or []).encode("utf-8", "surrogateescape")
        for command, found in hostile(data):
            yield _run(scene, process, command, found)
            break
    for hit in distinct(scene.hits("hostile-command")):
        what = f"{BY_NAME[hit.pattern].what}, in {'a file' if in_files(hit) else hit.place}"
        severe = BY_NAME[hit.pattern].severity == "high"
        yield Suspicion([of_hit(hit, what)], "medium" if severe else "low", TITLE)


def _run(scene: Scene, process: Process, command: Command, found: bytes) -> Suspicion:
    """What the container was created to run is its owner's, however it looks."""
    spec = scene.container.process
    own = process.cmdline == spec.args if spec is not None else process is scene.first
    evidence = of_process(process, f"runs {command.what}", text=shown(found))
    severity = "medium" if own and command.severity == "high" else command.severity
    return Suspicion([evidence], severity, None if command.severity == "high" else MILDER)


DETECTOR = Detector(
    name="hostile-command",
    title="A command line is a remote shell or runs encoded words",
    severity="high",
    why="Such a command takes orders from another machine or runs what nobody has looked at. In memory "
    "it may stand in a shell's history, in a request that tried it on the service, or in a list of "
    "things to block.",
    next=[
        "cryoscope search ARCHIVE for the address in it; cryoscope sockets: is the connection open",
        "cryoscope bash-history ARCHIVE; cryoscope log ARCHIVE: did it come in with a request",
    ],
    techniques=["T1059.004", "T1105", "T1140"],
    references=[
        "MITRE ATT&CK T1059.004, Command and Scripting Interpreter: Unix Shell",
    ],
    look=look,
    patterns=patterns(),
)
