"""A program that was deleted and is still open: a dropper that keeps itself by a descriptor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cryoscope import limits
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_file
from cryoscope.examine.findings.known.files import HEAD, program
from cryoscope.examine.findings.records import Evidence
from cryoscope.examine.findings.scene import Scene

if TYPE_CHECKING:
    from cryoscope.checkpoint.rootfs import FileEntry


def look(scene: Scene) -> Iterator[Suspicion]:
    """Deleted files that somebody has open and that are programs by their first bytes."""
    held = [entry for entry in scene.files if entry.change == "held" and entry.type in ("file", "hardlink")]
    for entry in held[: limits.FINDING_FILES]:
        kind = program(scene.content(entry, HEAD))
        if kind is not None:
            yield Suspicion([_evidence(entry, kind)])


def _evidence(entry: FileEntry, kind: str) -> Evidence:
    who = entry.open_in[0] if entry.open_in else None
    holder = {"pid": who.pid, "comm": who.comm, "fd": who.fd} if who else {}
    return of_file(entry, f"{kind}, deleted and still open", **holder)


DETECTOR = Detector(
    name="held-executable",
    title="A program was deleted and is still open",
    severity="medium",
    why="A file that is deleted while it is open has no name any more, but can still be run through "
    "/proc/PID/fd. CRIU saved its contents, which nothing else would have.",
    next=[
        ("cryoscope fs extract ARCHIVE PATH saves the contents, which are in no other copy of the container"),
        "cryoscope ls ARCHIVE shows which processes hold it",
    ],
    techniques=["T1070.004"],
    references=[
        "MITRE ATT&CK T1070.004, Indicator Removal: File Deletion",
        "CRIU, images/ghost-file.proto",
    ],
    look=look,
)
