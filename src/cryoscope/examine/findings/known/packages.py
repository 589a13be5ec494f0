"""Files that a package manager brought while the container ran, by the digests in its database.

dpkg writes MD5 of each file to info/PACKAGE.md5sums and of each configuration file to status (dpkg(1),
deb822 field Conffiles); apk writes SHA-1 as `Z:Q1BASE64` behind `R:NAME` below `F:FOLDER`
(/lib/apk/db/installed).  rpm's database is not read: that it changed is all that is known then.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from cryoscope import limits
from cryoscope.errors import CryoscopeError
from cryoscope.examine.findings.known.files import written
from cryoscope.examine.findings.known.folders import merged

if TYPE_CHECKING:
    from cryoscope.checkpoint.rootfs import FileEntry
    from cryoscope.examine.findings.scene import Scene

DPKG = re.compile(r"/var/lib/dpkg/(?:status|info/[^/]+\.md5sums)$")
APK = re.compile(r"/(?:usr/)?lib/apk/db/installed$")
RPM = re.compile(r"/(?:var/lib/rpm|usr/lib/sysimage/rpm)/")
PACMAN = re.compile(r"/var/lib/pacman/local/")
SUM = re.compile(rb"^[ \t]*(?:([0-9a-f]{32})  (\S[^\n]*)|(/\S+) ([0-9a-f]{32})(?: obsolete)?)$", re.MULTILINE)


Read = Callable[[bytes], Iterator[tuple[str, str]]]
"""The paths and digests of a database."""


class Packages:
    """The files of changed package databases: `changed` names the databases."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._digests: dict[str, set[str]] = {}
        self.changed: list[FileEntry] = []
        self.unread = False
        left = limits.FINDING_PACKAGES
        for entry in written(scene):
            left -= self._take(entry, left)

    def _take(self, entry: FileEntry, left: int) -> int:
        if DPKG.match(entry.path):
            return self._add(entry, left, _dpkg)
        if APK.match(entry.path):
            return self._add(entry, left, _apk)
        if RPM.match(entry.path) or PACMAN.match(entry.path):
            self.changed.append(entry)
            self.unread = True
        return 0

    def _add(self, entry: FileEntry, left: int, read: Read) -> int:
        self.changed.append(entry)
        data = self._scene.content(entry, left) if left > 0 else b""
        for path, digest in read(data):
            self._digests.setdefault(merged(path), set()).add(digest)
        return len(data)

    def brought(self, entry: FileEntry) -> bool:
        """Whether a file is byte for byte what a package says it is."""
        known = self._digests.get(merged(entry.path), set())
        return bool(known) and not known.isdisjoint(_digests(self._scene, entry))

    def perhaps(self, entry: FileEntry) -> bool:
        """The same, or a package may have brought it: a database changed that is not read."""
        return self.unread or self.brought(entry)


def packages(scene: Scene) -> Packages:
    """The package databases of a scene, read once."""
    found = scene.__dict__.get("_packages")
    if not isinstance(found, Packages):
        found = scene.__dict__["_packages"] = Packages(scene)
    return found


def _dpkg(data: bytes) -> Iterator[tuple[str, str]]:
    for digest, name, path, other in SUM.findall(data):
        yield "/" + (name or path).decode("utf-8", "replace").lstrip("/"), (digest or other).decode()


def _apk(data: bytes) -> Iterator[tuple[str, str]]:
    folder = name = ""
    for line in data.decode("utf-8", "replace").split("\n"):
        mark, _, value = line.partition(":")
        if mark == "F":
            folder = value
        elif mark == "R":
            name = f"/{folder}/{value}"
        elif mark == "Z" and value.startswith("Q1"):
            yield name, _hex(value[2:])


def _hex(text: str) -> str:
    try:
        return base64.b64decode(text).hex()
    except (binascii.Error, ValueError):
        return ""


def _digests(scene: Scene, entry: FileEntry) -> list[str]:
    if (entry.size or 0) > limits.FINDING_HASHED:
        return []
    made = [hashlib.md5(usedforsecurity=False), hashlib.sha1(usedforsecurity=False)]
    try:
        for block in scene.checkpoint.filesystem.blocks(entry):
            for each in made:
                each.update(block)
    except CryoscopeError:
        return []
    return [each.hexdigest() for each in made]
