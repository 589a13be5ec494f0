"""An unpacked root file system as a base: read by path, no link in it followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from cryoscope import limits
from cryoscope.checkpoint.archive.source import pread
from cryoscope.checkpoint.rootfs.entries import DEVICES, KINDS
from cryoscope.errors import ArchiveError, UsageError
from cryoscope.examine.changes.base import BaseFile, Holes

FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
BLOCK, SECTOR = 1 << 20, 512


class FolderBase:
    """The folder `path`; raises `UsageError` if it is none.  Close it after use."""

    _root = -1  # for `close`, which is called of one that could not be opened, too

    def __init__(self, path: str) -> None:
        self.name = path
        self._holes = Holes()
        try:
            self._root = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise UsageError(
                f"{path} cannot be used as a base: {error.strerror}",
                hint="give an image or the folder in which it is unpacked",
                code="fs.base",
            ) from None

    def find(self, path: bytes) -> BaseFile | None:
        """The file at a path; None if there is none, or a link above it."""
        if len(path) > limits.NAME or b"\0" in path:
            return None
        folders, last = _parts(path)
        if last is None:
            return None
        with suppress(OSError):
            above = self._descend(folders)
            try:
                return self._file(above, folders, last)
            finally:
                os.close(above)
        return None

    def _descend(self, folders: list[bytes]) -> int:
        """A descriptor of a folder below the root."""
        here = os.dup(self._root)
        for part in folders:
            above = here
            try:
                here = os.open(part, FOLDER, dir_fd=above)
            finally:
                os.close(above)
        return here

    def _file(self, above: int, folders: list[bytes], last: bytes) -> BaseFile:
        status = os.stat(last, dir_fd=above, follow_symlinks=False)
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "file")
        link = os.readlink(last, dir_fd=above) if kind == "symlink" else b""
        return BaseFile(
            type=kind,
            mode=stat.S_IMODE(status.st_mode),
            size=status.st_size,
            uid=status.st_uid,
            gid=status.st_gid,
            mtime_ns=status.st_mtime_ns,
            blocks=partial(self._blocks, folders, last),
            link=link.decode("utf-8", "surrogateescape"),
            device=_numbers(status.st_rdev) if kind in DEVICES else None,
            xattrs=None,  # those of other users' files are not for everybody to read
        )

    def _blocks(self, folders: list[bytes], last: bytes) -> Iterator[bytes]:
        try:
            above = self._descend(folders)
            try:
                descriptor = os.open(last, FILE, dir_fd=above)
            finally:
                os.close(above)
        except OSError as error:
            shown = os.fsdecode(b"/".join([*folders, last]))
            raise ArchiveError(f"/{shown} cannot be read in the base: {error.strerror}") from None
        try:
            status = os.fstat(descriptor)
            self._holes.take(os.fsdecode(last), status.st_size, status.st_blocks * SECTOR)
            at = 0
            while data := pread(descriptor, at, BLOCK, self.name):
                yield data
                at += len(data)
        finally:
            os.close(descriptor)

    def below(self, path: bytes) -> Iterator[bytes]:
        """The paths of all files below a folder, as far as they may be read."""
        waiting = [path.rstrip(b"/")]
        while waiting:
            above = waiting.pop()
            for name, folder in self._listed(above):
                found = above + b"/" + name
                yield found
                if folder and len(found) <= limits.NAME:
                    waiting.append(found)

    def _listed(self, path: bytes) -> list[tuple[bytes, bool]]:
        """The names in a folder, and which of them are folders."""
        with suppress(OSError):
            here = self._descend([part for part in path.split(b"/") if part])
            try:
                opened = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=here)
            finally:
                os.close(here)
            try:
                with os.scandir(opened) as found:
                    return [(os.fsencode(one.name), one.is_dir(follow_symlinks=False)) for one in found]
            finally:
                os.close(opened)
        return []

    def close(self) -> None:
        """Give back the folder."""
        root, self._root = self._root, -1
        if root >= 0:
            os.close(root)

    __del__ = close


def _parts(path: bytes) -> tuple[list[bytes], bytes | None]:
    """The folders of a path and its last component; None for what is no path below the root."""
    parts = [part for part in path.split(b"/") if part and part != b"."]
    if not parts or b".." in parts:
        return [], None
    return parts[:-1], parts[-1]


def _numbers(device: int) -> str:
    return f"{os.major(device)}:{os.minor(device)}"
