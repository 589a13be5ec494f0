"""Libraries that are put into every program: /etc/ld.so.preload, and where libraries are looked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cryoscope import limits
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_file, shown
from cryoscope.examine.findings.known.files import lines, written
from cryoscope.examine.findings.known.folders import hidden, temporary
from cryoscope.examine.findings.known.packages import packages
from cryoscope.examine.findings.scene import Scene

if TYPE_CHECKING:
    from cryoscope.checkpoint.rootfs import FileEntry

PRELOAD = "/etc/ld.so.preload"
SEARCHED = re.compile(r"/etc/ld\.so\.conf(?:$|\.d/)|/etc/ld-musl-[\w-]+\.path$")


def look(scene: Scene) -> Iterator[Suspicion]:
    """The loader's files that the container wrote."""
    for entry in written(scene):
        said = lines(scene.content(entry, limits.FINDING_FILE)) if _asked(entry.path) else []
        if said and entry.path == PRELOAD:
            yield Suspicion([of_file(entry, "every program loads this", text=shown("; ".join(said)))])
            yield from _libraries(scene, said)
        elif said:
            yield _searched(scene, entry, said)


def _asked(path: str) -> bool:
    return path == PRELOAD or SEARCHED.match(path) is not None


def _libraries(scene: Scene, said: list[str]) -> Iterator[Suspicion]:
    for path in " ".join(said).replace(":", " ").split():
        entry = scene.changed(path)
        if entry is not None:
            yield Suspicion([of_file(entry, "the library itself, written by the container too")])


def _searched(scene: Scene, entry: FileEntry, said: list[str]) -> Suspicion:
    title = "Where programs look for libraries was changed"
    odd = any(temporary(line + "/") or hidden(line) for line in said)
    usual = "info" if packages(scene).perhaps(entry) else "low"
    evidence = of_file(entry, "libraries are looked for here", text=shown("; ".join(said)))
    return Suspicion([evidence], "medium" if odd else usual, title)


DETECTOR = Detector(
    name="preload-file",
    title="A library is loaded into every program",
    severity="high",
    why="The loader puts what /etc/ld.so.preload names into every program that starts: it can hide "
    "files, processes and connections from ls, ps and ss, and collect passwords. Hardly anything "
    "honest uses the file.",
    next=[
        (
            "cryoscope fs extract ARCHIVE PATH saves the library; look at what it exports (readdir, "
            "open, execve)"
        ),
        "cryoscope maps ARCHIVE shows which processes have it mapped",
    ],
    techniques=["T1574.006"],
    references=[
        "MITRE ATT&CK T1574.006, Hijack Execution Flow: Dynamic Linker Hijacking",
        "ld.so(8)",
    ],
    look=look,
)
