"""Ways in by SSH: keys that may log in, the server's settings and its host keys."""

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

KEYS = re.compile(r".*/\.ssh/(?:authorized_keys2?|rc)$|/etc/ssh/(?:authorized_keys|sshrc)(?:/|$)")
SERVER = re.compile(r"/etc/ssh/sshd_config(?:$|\.d/)")
HOST = re.compile(r"/etc/(?:ssh|dropbear)/(?:ssh_host_\w+|dropbear_\w+_host)_key$")
OWN = re.compile(r".*/\.ssh/(?:id_\w+|known_hosts)$")
LAX = re.compile(
    r"(?i)\s*(?:PermitRootLogin\s+yes|PermitEmptyPasswords\s+yes|AuthorizedKeysCommand\s+/|ForceCommand\s|StrictModes\s+no)"
)


def look(scene: Scene) -> Iterator[Suspicion]:
    """Files of SSH that the container wrote."""
    for entry in written(scene):
        if KEYS.match(entry.path):
            yield from _keys(scene, entry)
        elif SERVER.match(entry.path):
            yield _server(scene, entry)
        elif HOST.match(entry.path):
            yield Suspicion(
                [of_file(entry, "an SSH server was set up here")], "low", "An SSH server was set up"
            )
        elif OWN.match(entry.path):
            yield Suspicion([of_file(entry, "left by a client of SSH")], "info", "SSH was used from here")


def _keys(scene: Scene, entry: FileEntry) -> Iterator[Suspicion]:
    said = lines(scene.content(entry, limits.FINDING_FILE))
    for line in said:
        yield Suspicion([of_file(entry, "may log in", text=shown(_short(line)))])


def _short(line: str) -> str:
    """A key without its middle: kind, the end of the key, and the comment, which often names somebody."""
    return " ".join(f"{word[:8]}…{word[-16:]}" if len(word) > 40 else word for word in line.split())


def _server(scene: Scene, entry: FileEntry) -> Suspicion:
    title = "Settings of the SSH server were changed"
    if packages(scene).brought(entry):
        return Suspicion([of_file(entry, "as a package has it")], "info", title)
    lax = [line for line in lines(scene.content(entry, limits.FINDING_FILE)) if LAX.match(line)]
    if lax:
        return Suspicion(
            [of_file(entry, "lets in more than usual", text=shown("; ".join(lax)))], "medium", title
        )
    return Suspicion([of_file(entry, "was written")], "low", title)


DETECTOR = Detector(
    name="ssh-access",
    title="Keys that may log in by SSH were added",
    severity="medium",
    why="A key in authorized_keys is a way back in without a password, also on the host where the home "
    "folder is mounted from there. Containers seldom run an SSH server.",
    next=[
        "the comment at the end of a key often names its owner; search other checkpoints for the key",
        (
            "cryoscope ps and cryoscope sockets: does an sshd run here? cryoscope mounts: is the "
            "folder the host's?"
        ),
    ],
    techniques=["T1098.004", "T1021.004"],
    references=[
        "MITRE ATT&CK T1098.004, Account Manipulation: SSH Authorized Keys",
        "sshd(8), sshd_config(5)",
    ],
    look=look,
)
