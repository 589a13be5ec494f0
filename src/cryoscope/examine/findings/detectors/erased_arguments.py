"""Processes without a command line although they run a program."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_process
from cryoscope.examine.findings.scene import Scene


def look(scene: Scene) -> Iterator[Suspicion]:
    """Command lines of nothing but spaces and ends of arguments; one that could not be read is unknown."""
    for process in scene.processes:
        if process.exe and process.cmdline is not None and not "".join(process.cmdline).strip():
            yield Suspicion([of_process(process, "has no command line and runs", text=None)])


DETECTOR = Detector(
    name="erased-arguments",
    title="A process has no command line",
    severity="low",
    why="The command line lies in the process's own memory, where it can be overwritten, so that nobody "
    "sees how it was started; programs that are started without any arguments are nearly always "
    "exploits.",
    next=["cryoscope strings -p PID ARCHIVE: the old arguments may be elsewhere in its memory"],
    techniques=["T1036.011"],
    references=["MITRE ATT&CK T1036.011, Masquerading: Overwrite Process Arguments"],
    look=look,
)
