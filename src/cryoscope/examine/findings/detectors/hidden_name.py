"""Names that are made to be overlooked: `...`, blanks at the end, control characters, files in /dev."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_file, shown
from cryoscope.examine.findings.known.files import NEW, written
from cryoscope.examine.findings.known.folders import temporary
from cryoscope.examine.findings.scene import Scene
from cryoscope.text import UNSAFE

if TYPE_CHECKING:
    from cryoscope.checkpoint.rootfs import FileEntry

ODD = re.compile(r"\.{3,}|\.{1,2}[\s\u00a0\u2000-\u200a\u3000]+|.*[\s\u00a0\u2000-\u200a\u3000]|[\s\u00a0].*")
"""A whole name of dots, or one that begins or ends with a blank."""

USUAL = re.compile(
    r"\.(?:X11-unix|X\d+-lock|ICE-unix|XIM-unix|font-unix|Test-unix|java_pid\d+|attach_pid\d+|s\.PGSQL\..*|dotnet.*"
    r"|NET.*|gitkeep|keep|org\.chromium\..*|com\.google\..*|mount_\w+|wh\..*|placeholder|lock.*|cache.*|npm.*"
    r"|config.*|local|nfs\w+|psql.*|hsperf.*|pki|yarn.*|mc.*|ash_history|bash_history)"
)
"""Hidden files that programs leave in /tmp."""

DEVICES = re.compile(r"/dev/(?!shm/|mqueue/|pts/|hugepages/|termination-log$|console$|\.lxc)")


def look(scene: Scene) -> Iterator[Suspicion]:
    """Files and folders that the container made, by their names."""
    for entry in scene.files:
        what = _odd(entry) if entry.change in NEW and entry.origin != "ghost" else ""
        if what:
            yield Suspicion([of_file(entry, what, text=shown(repr(_name(entry))))])
    yield from _devices(scene)


def _name(entry: FileEntry) -> str:
    return entry.path.rpartition("/")[2]


def _odd(entry: FileEntry) -> str:
    name = _name(entry)
    if ODD.fullmatch(name):
        return "a name of dots or blanks"
    if UNSAFE.search(name):
        return "a name with characters that cannot be seen"
    if name.startswith(".") and temporary(entry.path) and not USUAL.fullmatch(name):
        return "hidden in a folder for temporary files"
    return ""


def _devices(scene: Scene) -> Iterator[Suspicion]:
    for entry in written(scene):
        if DEVICES.match(entry.path) and entry.size and entry.change != "held":
            yield Suspicion([of_file(entry, "a plain file among the devices")])


DETECTOR = Detector(
    name="hidden-name",
    title="Files have names that are made to be overlooked",
    severity="medium",
    why="Names such as `...`, ones that end in a blank and hidden files in /tmp or /dev are not seen by "
    "who looks with ls, and break scripts that clean up.",
    next=[
        "cryoscope fs ls ARCHIVE 'PATH/*' shows what lies beside and below",
        "cryoscope fs cat ARCHIVE PATH; names are escaped, so copy them with --format json",
    ],
    techniques=["T1564.001", "T1036.006"],
    references=[
        "MITRE ATT&CK T1564.001, Hide Artifacts: Hidden Files and Directories",
    ],
    look=look,
)
