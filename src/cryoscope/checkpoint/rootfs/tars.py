"""The tars in an archive that hold files of the container, by engine.

Podman: rootfs-diff.tar, devshm-checkpoint.tar, volumes/<name>.tar (libpod/container_internal_common.go).
CRI-O: rootfs-diff.tar.  containerd: the same name, but a gzip layer.  CRIU itself packs every tmpfs of
the mount namespace with GNU tar: tmpfs-dev-<device>.tar.gz.img, before 2.3 tmpfs-<mount>.tar.gz.img
(criu/filesystems.c, tmpfs_dump).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from cryoscope.checkpoint.archive import Archive, Member
from cryoscope.checkpoint.archive.codec import sniff
from cryoscope.errors import CryoscopeError, Damaged

DIFF = "rootfs-diff.tar"
DEVSHM = "devshm-checkpoint.tar"
TARS = (
    ("rootfs", DIFF),
    ("devshm", DEVSHM),
    ("tmpfs", "tmpfs-*.tar.gz.img"),
    ("tmpfs", "tmpfs-*.tar.gz"),
    ("volume", "volumes/*.tar"),
)
"""Origin and name of every such tar; the contents of tmpfs mounts lie beside CRIU's images."""

TMPFS = re.compile(r"tmpfs-(dev-)?(\d{1,10})\.tar\.gz(?:\.img)?$")


class Held(NamedTuple):
    """A tar in the archive; `packed` if it is compressed."""

    origin: str
    member: str
    packed: bool

    @property
    def place(self) -> str:
        """What searches call it: /dev/shm is a tmpfs like others."""
        return "tmpfs" if self.origin == "devshm" else self.origin


def tars(archive: Archive, prefix: str, damaged: list[Damaged]) -> Iterator[Held]:
    """The tars in an archive whose images lie under `prefix`, in its order; empty ones are left out."""
    for name, member in archive.members.items():
        origin = _origin(name, prefix)
        if origin is None or not member.size or member.type not in ("file", "hardlink", "other"):
            continue
        try:
            yield Held(origin, name, sniff(archive.read_at(name, 0, 16)) is not None)
        except CryoscopeError as error:
            damaged.append(Damaged(name, error.message, error.code))


def empty_tars(archive: Archive, prefix: str) -> list[Damaged]:
    """The tars without a byte, which no engine writes: what a full disk leaves."""
    empty = (name for name, member in archive.members.items() if member.type == "file" and not member.size)
    return [Damaged(name, "is empty", "archive.empty") for name in empty if _origin(name, prefix)]


def _origin(name: str, prefix: str) -> str | None:
    inner = name.removeprefix(prefix)
    for origin, pattern in TARS:
        if fnmatchcase(name, pattern) or ("/" not in inner and fnmatchcase(inner, pattern)):
            return origin
    return None


def plain_files(layer: Archive) -> Iterator[Member]:
    """Files whose bytes lie in one piece: a sparse one would need its holes filled."""
    for member in layer.members.values():
        if member.type in ("file", "other") and member.offset >= 0 and member.size and not member.runs:
            yield member


def volume_name(member: str) -> str:
    """The name of the volume that a tar of Podman holds."""
    return member.rpartition("/")[2].removesuffix(".tar")


def tmpfs_key(member: str) -> tuple[str, int] | None:
    """What the name of a tmpfs image says: ("device", number as the kernel packs it) or ("mount", id)."""
    found = TMPFS.search(member)
    return None if found is None else ("device" if found[1] else "mount", int(found[2]))
