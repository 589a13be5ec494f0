"""Files that are written whole or not at all, sparse, into one folder and never out of it."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cryoscope.errors import UsageError

PRIVATE = 0o600
"""Whatever comes out of a checkpoint may be secret."""

BLOCK, HOLE = 1 << 20, 1 << 16
"""Bytes read at once, and of zero that are left out."""

EMPTY = bytes(HOLE)


class Folder:
    """A folder that the user named, made if it is not there; raises `UsageError` for a link.

    Names are our own, so that none leads out of it; what is there already is left alone unless
    `force` is given, and a link always is.
    """

    def __init__(self, path: str, *, force: bool) -> None:
        self.path = path
        self._force = force
        os.makedirs(path, mode=0o700, exist_ok=True)
        try:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(path, flags)
        except OSError as error:
            raise UsageError(
                f"{path} cannot be written to: {error.strerror}",
                hint="name a folder, not a link to one",
                code="write.folder",
            ) from None

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def check(self, name: str) -> None:
        """Raise `UsageError` where a file of this name must not be written."""
        try:
            found = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return
        if not stat.S_ISREG(found.st_mode):
            raise _there(name, "is there and no file", "name another folder")
        if not self._force:
            raise _there(name, "is there already", "name another folder, or give --force")

    @contextmanager
    def writing(self, name: str) -> Iterator[SparseFile]:
        """A file that has its name when all of it is written, and is gone if that fails."""
        part = f".{name}.part"
        with suppress(FileNotFoundError):
            os.unlink(part, dir_fd=self._descriptor)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(part, flags, PRIVATE, dir_fd=self._descriptor)
        try:
            with SparseFile(descriptor) as file:
                yield file
            self.check(name)
            os.rename(part, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(part, dir_fd=self._descriptor)
            raise


def _there(name: str, problem: str, hint: str) -> UsageError:
    return UsageError(f"{name} {problem}", hint=hint, code="write.exists")


class SparseFile:
    """An open file in which blocks of zero take no room."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __enter__(self) -> SparseFile:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def resize(self, size: int) -> None:
        """Make it `size` bytes long."""
        os.ftruncate(self._descriptor, size)

    def write(self, offset: int, data: bytes | memoryview, *, over: bool = False) -> None:
        """Bytes at `offset`; zeros only where there may be others to write over."""
        for at in range(0, len(data), HOLE):
            part = bytes(data[at : at + HOLE])
            if over or part != EMPTY[: len(part)]:
                self._put(offset + at, part)

    def _put(self, offset: int, data: bytes) -> None:
        while data:
            count = os.pwrite(self._descriptor, data, offset)
            data, offset = data[count:], offset + count

    def digest(self, size: int) -> str:
        """SHA-256 of the whole file, read back."""
        found = hashlib.sha256()
        for offset in range(0, size, BLOCK):
            found.update(os.pread(self._descriptor, BLOCK, offset))
        return found.hexdigest()
