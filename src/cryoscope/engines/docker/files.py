"""What a restore puts on the daemon's host: CRIU's images into the new container's folder, deleted files.

Names from the archive are never more than the last part of a path here, and nothing is written through a
link.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive
from cryoscope.checkpoint.archive.member import normalise
from cryoscope.engines.docker.netns import joining
from cryoscope.engines.port import EngineError
from cryoscope.errors import CryoscopeError

IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.img\Z|descriptors\.json\Z|ip_dump\.cache\Z")
COPY = 1 << 20
NEW = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
DELETED = "deleted.files"


def place_images(archive: Archive, prefix: str, folder: str, *, joins: bool) -> str:
    """Write the images into a new folder, joining a network from outside if `joins`; returns the marker.

    The marker is a file of that name in the folder.  It makes the bytes that docker hands to containerd
    others than those of any other copy: of the same bytes twice, containerd says `already exists`.
    """
    changed = joining(archive, prefix) if joins else {}
    os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
    os.mkdir(folder, 0o700)
    for name in archive.names(prefix):
        base = name.removeprefix(prefix)
        if IMAGE.match(base) and base not in changed:
            _write(f"{folder}/{base}", pieces(archive, name))
    marker = f"cryoscope-{secrets.token_hex(16)}"
    for base, data in (*changed.items(), (marker, b"")):
        _write(f"{folder}/{base}", iter([data]))
    return marker


def _write(path: str, data: Iterator[bytes]) -> None:
    with open(os.open(path, NEW, 0o600), "wb", buffering=0) as file:
        file.writelines(data)


def pieces(archive: Archive, name: str) -> Iterator[bytes]:
    """A member's bytes, a megabyte at a time."""
    size, at = archive.members[name].size, 0
    while at < size:
        piece = archive.read_at(name, at, min(COPY, size - at))
        if not piece:
            raise EngineError(f"{name} ended early", hint="the archive is damaged", code="docker.archive")
        yield piece
        at += len(piece)


def deleted_paths(archive: Archive) -> list[str]:
    """The paths that are to be gone."""
    if DELETED not in archive:
        return []
    try:
        found = msgspec.json.decode(archive.read(DELETED, limit=limits.JSON_DOCUMENT), type=list[str])
    except (msgspec.DecodeError, CryoscopeError):
        raise EngineError(
            "deleted.files is no list of paths", hint="the archive is damaged", code="docker.archive"
        ) from None
    return found[: limits.FILES]


def delete(upper: str, paths: list[str]) -> None:
    """Hide paths of the image in the upper folder of an overlay that is not mounted: by white-outs,
    which are devices 0:0 (Documentation/filesystems/overlayfs.rst)."""
    for path in paths:
        parts = [part for part in normalise(path).split("/") if part]
        if parts and ".." not in parts:
            with _folder(upper, parts[:-1]) as at:
                _hide(at, parts[-1])


def _hide(at: int, name: str) -> None:
    with suppress(FileExistsError):
        os.mknod(name, stat.S_IFCHR, 0, dir_fd=at)


@contextmanager
def _folder(top: str, parts: list[str]) -> Iterator[int]:
    """A folder below `top`, made as needed, and reached through nothing but folders."""
    at = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for part in parts:
            with suppress(FileExistsError):
                os.mkdir(part, 0o755, dir_fd=at)
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            os.close(at)
            at = below
        yield at
    finally:
        os.close(at)
