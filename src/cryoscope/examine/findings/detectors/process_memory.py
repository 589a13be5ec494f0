"""Memory of other processes that is open as a file."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_descriptor
from cryoscope.examine.findings.scene import Scene

FILES = re.compile(r"/proc/(\d+|self|thread-self)/(?:task/\d+/)?(mem|environ|auxv|pagemap)$")


def look(scene: Scene) -> Iterator[Suspicion]:
    """Descriptors of /proc/PID/mem and its neighbours that lead to somebody else."""
    for process in scene.processes:
        for descriptor in scene.descriptors(process.pid):
            found = FILES.match(descriptor.path or "")
            if found is None or found[1] in (str(process.pid), "self", "thread-self"):
                continue
            writes = found[2] == "mem" and "w" in descriptor.access
            what = f"{'writes to' if writes else 'reads'} the memory of process {found[1]}"
            yield Suspicion([of_descriptor(process, descriptor, what)])


DETECTOR = Detector(
    name="process-memory",
    title="A process has the memory of another open",
    severity="medium",
    why="From /proc/PID/mem one takes the keys and passwords of another process, or puts code into it, "
    "without a file on disk. Debuggers and profilers do it openly.",
    next=[
        "cryoscope ps -f tree ARCHIVE: who started it, and as whom",
        "cryoscope secrets --pid PID: what could be read there; the findings about code in memory",
    ],
    techniques=["T1003.007", "T1055.009"],
    references=[
        "MITRE ATT&CK T1055.009, Process Injection: Proc Memory",
        "proc(5), /proc/pid/mem",
    ],
    look=look,
)
