"""A program or library of the system that was replaced without a package manager."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_file
from cryoscope.examine.findings.known.files import HEAD, fresh, program, written
from cryoscope.examine.findings.known.folders import base, system
from cryoscope.examine.findings.known.packages import packages
from cryoscope.examine.findings.scene import Scene

if TYPE_CHECKING:
    from cryoscope.checkpoint.rootfs import FileEntry

# fmt: off
WATCHERS = frozenset((
    "ls", "ps", "top", "htop", "netstat", "ss", "lsof", "find", "du", "df", "ip", "ifconfig", "w",
    "who", "last", "id", "login", "su", "sudo", "passwd", "sshd", "ssh", "scp", "bash", "sh", "dash",
    "cat", "kill", "pidof", "pstree", "crontab", "mount", "ldd", "md5sum", "sha256sum", "strings",
    "iptables", "unix_chkpwd"
))
# fmt: on
"""Programs that show what goes on, or are given passwords: what attackers replace."""

OWN = re.compile(
    r"/(?:usr/)?lib/(?:[^/]+/)*(?:modules|firmware|node_modules|site-packages|dist-packages|gems)/"
)
"""Below library folders, but brought by other package managers than the system's."""

TOLD = {
    "changed": "is another one than the image's",
    "added": "is not in the image",
}


def look(scene: Scene) -> Iterator[Suspicion]:
    """Programs in the system's folders whose contents the container wrote."""
    for entry in written(scene):
        if entry.origin != "rootfs" or not system(entry.path) or OWN.match(entry.path):
            continue
        if program(scene.content(entry, HEAD)) == "ELF program" and not packages(scene).brought(entry):
            what = TOLD.get(entry.change, "was written while the container ran")
            yield Suspicion([of_file(entry, what)], _severity(scene, entry))


def _severity(scene: Scene, entry: FileEntry) -> str:
    """A file that was only touched comes in the layer too, with its old time."""
    if packages(scene).perhaps(entry):
        return "low"
    young = fresh(scene, entry)
    if young and base(entry.path) in WATCHERS and entry.change != "added":
        return "high"
    return "low" if young is False and entry.change == "written" else "medium"


DETECTOR = Detector(
    name="system-program",
    title="Programs of the system were replaced or added",
    severity="medium",
    why="A replaced ls or ps hides what an attacker left, a replaced sshd or sudo collects passwords. "
    "Images are built once: in a running container the system's programs only change through a "
    "package manager, and then its database says so.",
    next=[
        (
            "cryoscope fs hash ARCHIVE PATH, and look for the digest; cryoscope fs ls --base IMAGE "
            "tells changed from added"
        ),
        "cryoscope ps: does a process run it?",
    ],
    techniques=["T1554", "T1036.005"],
    references=[
        "MITRE ATT&CK T1554, Compromise Host Software Binary",
        "OCI image-spec, layer.md",
    ],
    look=look,
)
