"""Programs and scripts that the container wrote, whether they run or not, with their digests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from cryoscope import limits
from cryoscope.errors import CryoscopeError
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_file
from cryoscope.examine.findings.known.files import HEAD, program, runnable, written
from cryoscope.examine.findings.known.folders import hidden, system, temporary
from cryoscope.examine.findings.known.packages import packages
from cryoscope.examine.findings.scene import Scene

if TYPE_CHECKING:
    from cryoscope.checkpoint.rootfs import FileEntry

TITLE = "Programs were put into folders where none belong"
UNPACKED = re.compile(r"\.(?:so(?:\.[\d.]+)?|tmp|node|jnilib)$")
"""Libraries that Java and Node programs unpack out of themselves into /tmp."""

HARMLESS = re.compile(
    r"/(?:var/)?tmp/(?:go-build\d+/|\.mount_\w+/|_MEI\w+/|rust\w*/|cargo-install\w+/|pip-|npm-|yarn--|tmp\w{8}/pip)"
)
TREES = re.compile(
    r"/(?:\.git/hooks|node_modules|site-packages|dist-packages|\.cache|\.cargo|\.rustup|\.local/share)/"
)
"""Folders with many small scripts that other package managers bring."""


def look(scene: Scene) -> Iterator[Suspicion]:
    """Executable files that were written; those of the system's folders are another detector's."""
    found = [entry for entry in islice(_asked(scene), limits.FINDING_FILES) if _program(scene, entry)]
    digests = _hashed(scene, found)
    for entry in found:
        told = digests.get((entry.origin, entry.path), entry)
        what = program(scene.content(entry, HEAD)) or "program"
        odd = _odd(entry)
        yield Suspicion([of_file(told, f"{what} of mode {entry.mode}")], *(("medium", TITLE) if odd else ()))


def _asked(scene: Scene) -> Iterator[FileEntry]:
    for entry in written(scene):
        may = runnable(entry) or temporary(entry.path)
        inside = system(entry.path) and entry.origin == "rootfs"
        if may and not inside and entry.change != "held" and not TREES.search(entry.path):
            yield entry


def _program(scene: Scene, entry: FileEntry) -> bool:
    kind = program(scene.content(entry, HEAD))
    if kind is None or (kind == "script" and not runnable(entry)):
        return False
    return not packages(scene).brought(entry)


def _odd(entry: FileEntry) -> bool:
    users = {user.comm for user in entry.open_in}
    if UNPACKED.search(entry.path) and users & {"java", "node"}:
        return False
    place = temporary(entry.path) or hidden(entry.path) or entry.path.startswith("/dev/")
    return place and not HARMLESS.match(entry.path)


def _hashed(scene: Scene, entries: list[FileEntry]) -> dict[tuple[str, str], FileEntry]:
    """The same files with SHA-256, the odd and small ones first, as far as it takes no long time."""
    asked: list[FileEntry] = []
    left = limits.FINDING_HASHED
    for entry in sorted(entries, key=lambda entry: (not _odd(entry), entry.size or 0)):
        left -= entry.size or 0
        if left < 0 or len(asked) >= limits.FINDING_EVIDENCE:
            break
        asked.append(entry)
    try:
        return {(entry.origin, entry.path): entry for entry in scene.checkpoint.filesystem.hashes(asked)}
    except CryoscopeError:
        return {}


DETECTOR = Detector(
    name="new-executable",
    title="Programs or scripts were written while the container ran",
    severity="low",
    why="A dropper brings its programs as files. What a container runs comes with its image; what was "
    "written since was downloaded, uploaded or built in it.",
    next=[
        "look for the SHA-256 in a database of malware; cryoscope iocs ARCHIVE gives all of them",
        (
            "cryoscope fs extract ARCHIVE PATH saves the file; cryoscope timeline ARCHIVE shows what "
            "was written with it"
        ),
    ],
    techniques=["T1105"],
    references=[
        "MITRE ATT&CK T1105, Ingress Tool Transfer",
        "elf(5), execve(2)",
    ],
    look=look,
)
