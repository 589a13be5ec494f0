"""A root file system on disk, read by the paths of a container and never left.

Its links may lead anywhere and the paths come out of an archive, so that every component is opened by
descriptor with O_NOFOLLOW, and links are followed here: an absolute one begins at the folder again, and
`..` stops there, as chroot(2) has it.
"""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from contextlib import suppress

from cryoscope import limits
from cryoscope.checkpoint.archive.source import pread
from cryoscope.errors import UsageError

FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
OPEN_FILES = 64
LINKS = 40
"""Links in one path, as the kernel allows (MAXSYMLINKS)."""


class RootFolder:
    """The folder `path`; raises `UsageError` if it is none.  Close it after use."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._root = -1
        self._files: OrderedDict[bytes, tuple[int, int]] = OrderedDict()
        try:
            self._root = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise UsageError(
                f"{path} cannot be used as a root file system: {error.strerror}",
                hint="give the folder in which the container's image is mounted or unpacked",
                code="core.rootfs",
            ) from None

    def size(self, name: bytes) -> int | None:
        """Bytes of the regular file `name`; None if there is none."""
        found = self._file(name)
        return found[1] if found else None

    def read_at(self, name: bytes, offset: int, length: int) -> bytes:
        """Bytes of a file, fewer than `length` only at its end."""
        found = self._file(name)
        if found is None or offset >= found[1]:
            return b""
        return pread(found[0], offset, min(length, found[1] - offset), os.fsdecode(name))

    def real(self, name: bytes) -> str | None:
        """Where the file `name` lies on this machine, all links followed; None if there is none."""
        try:
            descriptor, place = _walk(self._root, name)
        except (OSError, ValueError):
            return None
        os.close(descriptor)
        return os.path.join(os.path.abspath(self.path), *map(os.fsdecode, place))

    def _file(self, name: bytes) -> tuple[int, int] | None:
        """Descriptor and size, the descriptor kept open for a while."""
        if name in self._files:
            self._files.move_to_end(name)
            return self._files[name]
        with suppress(OSError, ValueError):
            descriptor, _ = _walk(self._root, name)
            status = os.fstat(descriptor)
            self._files[name] = (descriptor, status.st_size)
            while len(self._files) > OPEN_FILES:
                os.close(self._files.popitem(last=False)[1][0])
            return self._files[name]
        return None

    def close(self) -> None:
        """Give back all descriptors."""
        for descriptor, _ in self._files.values():
            os.close(descriptor)
        self._files.clear()
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    __del__ = close


def _walk(root: int, name: bytes) -> tuple[int, list[bytes]]:
    """A regular file opened for reading, and its path below `root`; raises OSError or ValueError."""
    if len(name) > limits.NAME:
        raise ValueError(name)
    waiting, place, links = _parts(name), list[bytes](), 0
    while waiting:
        part = waiting.pop()
        if part == b"..":
            place = place[:-1]
            continue
        above = _descend(root, place)
        try:
            target = _link(above, part)
            if target is None and not waiting:
                return _open(above, part), [*place, part]
        finally:
            os.close(above)
        if target is None:
            place.append(part)
            continue
        links += 1
        if links > LINKS or len(waiting) > limits.NAME:
            raise ValueError(name)
        place = [] if target.startswith(b"/") else place
        waiting += _parts(target)
    raise ValueError(name)


def _parts(path: bytes) -> list[bytes]:
    """The components of a path, the first one last."""
    return [part for part in reversed(path.split(b"/")) if part and part != b"."]


def _descend(root: int, place: list[bytes]) -> int:
    here = os.dup(root)
    for part in place:
        above = here
        try:
            here = os.open(part, FOLDER, dir_fd=above)
        finally:
            os.close(above)
    return here


def _link(folder: int, name: bytes) -> bytes | None:
    """Where a symbolic link leads; None for anything else."""
    if not stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        return None
    return os.readlink(name, dir_fd=folder)


def _open(folder: int, name: bytes) -> int:
    descriptor = os.open(name, FILE, dir_fd=folder)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise ValueError(name)
