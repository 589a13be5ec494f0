"""Changed rules or modules of PAM, which decide who may log in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cryoscope import limits
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_file, shown
from cryoscope.examine.findings.known.files import fresh, lines, written
from cryoscope.examine.findings.known.packages import packages
from cryoscope.examine.findings.scene import Scene

if TYPE_CHECKING:
    from cryoscope.checkpoint.rootfs import FileEntry

RULES = re.compile(r"/etc/pam\.(?:d/|conf$)|/usr/lib/pam\.d/")
MODULES = re.compile(r"/(?:usr/)?lib(?:64)?/(?:[^/]+-linux-[^/]+/)?(?:security/pam_\w+\.so|libpam\.so)")
TELLING = re.compile(r"\bpam_(?:exec|script|permit|python|succeed_if)\.so\b")


def look(scene: Scene) -> Iterator[Suspicion]:
    """Files of PAM that the container wrote; those that a package brought are not worth a line."""
    for entry in written(scene):
        asked = RULES.match(entry.path) or MODULES.match(entry.path)
        if asked and not packages(scene).brought(entry):
            yield _module(scene, entry) if MODULES.match(entry.path) else _rules(scene, entry)


def _module(scene: Scene, entry: FileEntry) -> Suspicion:
    sure = fresh(scene, entry) and not packages(scene).perhaps(entry)
    what = "a module that no package brought"
    return Suspicion([of_file(entry, what)], "high" if sure else "medium", "A module of PAM was replaced")


def _rules(scene: Scene, entry: FileEntry) -> Suspicion:
    said = [line for line in lines(scene.content(entry, limits.FINDING_FILE)) if TELLING.search(line)]
    severity = "low" if packages(scene).perhaps(entry) else "medium"
    what = "rules that run or allow" if said else "rules for logging in"
    return Suspicion([of_file(entry, what, text=shown("; ".join(said)) or None)], severity)


DETECTOR = Detector(
    name="pam-module",
    title="Rules for logging in (PAM) were changed",
    severity="medium",
    why="A changed rule or module lets in everybody who knows one password, or writes down those of others.",
    next=[
        "cryoscope fs diff ARCHIVE PATH --base IMAGE shows what changed",
        "cryoscope strings on an extracted module: passwords and files that it writes stand in it",
    ],
    techniques=["T1556.003"],
    references=[
        "MITRE ATT&CK T1556.003, Modify Authentication Process: Pluggable Authentication Modules",
        "pam.d(5)",
    ],
    look=look,
)
