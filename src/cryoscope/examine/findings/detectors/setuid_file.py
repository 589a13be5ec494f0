"""A program that gives its rights to whoever runs it: setuid, setgid or with capabilities."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cryoscope.checkpoint.criu.names import capabilities
from cryoscope.examine.findings.detector import Detector, Suspicion
from cryoscope.examine.findings.evidence import of_file
from cryoscope.examine.findings.known.files import fresh
from cryoscope.examine.findings.known.folders import base, system
from cryoscope.examine.findings.known.packages import packages
from cryoscope.examine.findings.known.programs import INTERPRETERS, SHELLS
from cryoscope.examine.findings.scene import Scene

if TYPE_CHECKING:
    from cryoscope.checkpoint.rootfs import FileEntry

CAPABILITY = "security.capability"
# fmt: off
USUAL = frozenset((
    "su", "sudo", "mount", "umount", "passwd", "chsh", "chfn", "chage", "expiry", "newgrp", "gpasswd",
    "ping", "pkexec", "fusermount", "fusermount3", "ssh-keysign", "ssh-agent",
    "dbus-daemon-launch-helper", "unix_chkpwd", "crontab", "bbsuid", "doas", "polkit-agent-helper-1",
    "newuidmap", "newgidmap", "wall", "write", "at", "mount.nfs", "sudoedit", "sg"
))
# fmt: on
"""Programs that systems install with such a bit."""

# fmt: off
MIGHTY = frozenset((
    "CAP_SETUID", "CAP_SETGID", "CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_PTRACE", "CAP_SYS_RAWIO",
    "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_CHOWN", "CAP_FOWNER", "CAP_SETFCAP", "CAP_BPF"
))
# fmt: on
"""Capabilities that lead to all others."""


def look(scene: Scene) -> Iterator[Suspicion]:
    """Changed files with the bits or the attribute; folders have setgid for other reasons."""
    for entry in scene.files:
        if entry.change == "deleted" or entry.type not in ("file", "hardlink") or not entry.mode:
            continue
        if entry.mode[3] in "sS":
            yield Suspicion([of_file(entry, _what(entry), text=entry.mode)], _setuid(scene, entry))
        elif entry.mode[6] == "s":
            yield Suspicion([of_file(entry, _what(entry), text=entry.mode)], _lower(scene, entry, "medium"))
        if CAPABILITY in entry.xattrs:
            yield _capable(scene, entry)


def _what(entry: FileEntry) -> str:
    kind, owner = ("setuid", entry.uid) if (entry.mode or "")[3] in "sS" else ("setgid", entry.gid)
    return f"{kind} {'root' if owner == 0 else owner}"


def _setuid(scene: Scene, entry: FileEntry) -> str:
    harmless = entry.uid != 0 or (entry.mode or "")[3] == "S"
    expected = base(entry.path) in USUAL and system(entry.path) and not fresh(scene, entry)
    return _lower(scene, entry, "medium" if harmless or expected else "high")


def _lower(scene: Scene, entry: FileEntry, severity: str) -> str:
    known = packages(scene)
    if known.brought(entry):
        return "low"
    return "medium" if known.perhaps(entry) and system(entry.path) else severity


def _capable(scene: Scene, entry: FileEntry) -> Suspicion:
    names = file_capabilities(entry.xattrs[CAPABILITY])
    name = base(entry.path)
    severity = "medium" if not names or MIGHTY.intersection(names) else "low"
    if severity == "medium" and (name in SHELLS or INTERPRETERS.match(name) or not system(entry.path)):
        severity = "high" if names else "medium"
    shown = ", ".join(names) or "capabilities that cannot be read"
    return Suspicion([of_file(entry, f"has {shown}", text=shown)], _lower(scene, entry, severity))


def file_capabilities(value: str) -> list[str]:
    """What `vfs_cap_data` permits (linux/capability.h): a word of flags, then permitted and inheritable."""
    try:
        raw = (
            base64.b64decode(value.removeprefix("base64:")) if value.startswith("base64:") else value.encode()
        )
        words = struct.unpack_from("<IIIII", raw.ljust(20, b"\0"))
    except (binascii.Error, ValueError, struct.error):
        return []
    return capabilities([words[1], words[3]])


DETECTOR = Detector(
    name="setuid-file",
    title="A program gives its rights to whoever runs it",
    severity="high",
    why="A setuid program or one with capabilities lets a plain user, or a process that lost its rights, "
    "come back as root. Images bring the few that are needed; a running container seldom makes one.",
    next=[
        (
            "cryoscope fs ls ARCHIVE PATH shows owner, mode and times; cryoscope fs hash ARCHIVE PATH "
            "its digest"
        ),
        "compare it with the image: a shell or interpreter with such a bit is a way back in",
        "look for processes that run it: real and effective uid differ (cryoscope ps)",
    ],
    techniques=["T1548.001"],
    references=[
        "MITRE ATT&CK T1548.001, Abuse Elevation Control Mechanism: Setuid and Setgid",
        "capabilities(7), File capabilities",
    ],
    look=look,
)
