"""Changed accounts: who may log in, and who may become root."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cryoscope import limits
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_file, shown
from cryoscope.examine.findings.known.files import lines, written
from cryoscope.examine.findings.known.packages import packages
from cryoscope.examine.findings.scene import Scene

if TYPE_CHECKING:
    from cryoscope.checkpoint.rootfs import FileEntry

PATHS = re.compile(
    r"/etc/(?:passwd|shadow|group|gshadow|sudoers|sudoers\.d/[^/]+|doas\.conf|doas\.d/[^/]+|subuid)-?$"
)
ROOTS = ("root",)
"""Names of the first account; its second name on BSD, toor, is a favourite of intruders on Linux."""

LOCKED = ("x", "*", "!", "!!", "!*", "*LK*", "LK", "NP")
RULES = re.compile(r"\bNOPASSWD\s*:|\bnopass\b|!authenticate")


def look(scene: Scene) -> Iterator[Suspicion]:
    """Files of accounts that the container wrote, with the lines that make an attacker of somebody."""
    for entry in written(scene):
        if entry.origin == "rootfs" and PATHS.match(entry.path) and not entry.path.endswith("-"):
            found = list(_lines(entry, lines(scene.content(entry, limits.FINDING_FILE))))
            yield from found or [_changed(scene, entry)]


def _changed(scene: Scene, entry: FileEntry) -> Suspicion:
    quiet = packages(scene).perhaps(entry) or entry.path.endswith(("group", "gshadow", "subuid"))
    return Suspicion([of_file(entry, "was written")], "low" if quiet else None)


def _lines(entry: FileEntry, said: list[str]) -> Iterator[Suspicion]:
    for line in said:
        what, severity = _judge(entry.path, line)
        if what:
            yield Suspicion([of_file(entry, what, text=shown(_hidden(line)))], severity)


def _judge(path: str, line: str) -> tuple[str, str]:
    fields = line.split(":")
    if path == "/etc/passwd" and len(fields) >= 4:
        return _account(fields)
    if path == "/etc/shadow" and len(fields) >= 2 and not fields[1]:
        return f"{fields[0]} needs no password", "medium" if fields[0] in ROOTS else "high"
    if ("sudoers" in path or "doas" in path) and RULES.search(line):
        return "becomes somebody else without a password", "medium"
    return "", ""


def _account(fields: list[str]) -> tuple[str, str]:
    name, password, uid = fields[0], fields[1], fields[2]
    if uid.isdigit() and int(uid) == 0 and name not in ROOTS:
        return f"{name} is a second root", "high"
    if not password:
        return f"{name} needs no password", "medium" if name in ROOTS else "high"
    if password.startswith("$") or (len(password) == 13 and password not in LOCKED):
        return f"{name} has a password where everybody can read it", "medium"
    return "", ""


def _hidden(line: str) -> str:
    """A line without the hash of a password."""
    fields = line.split(":")
    if len(fields) > 1 and len(fields[1]) > 4:
        fields[1] = "…"
    return ":".join(fields)


DETECTOR = Detector(
    name="account-files",
    title="Files of accounts were changed",
    severity="medium",
    why="A new user with uid 0, an account without a password or a rule for sudo is a way back in that "
    "survives the process it came with. Entrypoints that add a user for the service's uid are the "
    "usual harmless reason.",
    next=[
        ("cryoscope fs cat ARCHIVE /etc/passwd shows the file; compare it with the image's (fs diff --base)"),
        "look for processes of that uid (cryoscope ps) and for logins in the container's log",
    ],
    techniques=["T1136.001", "T1098"],
    references=[
        "MITRE ATT&CK T1136.001, Create Account: Local Account",
        "passwd(5), shadow(5), sudoers(5)",
    ],
    look=look,
)
