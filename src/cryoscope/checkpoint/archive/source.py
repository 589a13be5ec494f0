"""Where the bytes of an archive lie."""

from __future__ import annotations

import os
import stat
from typing import Protocol

from cryoscope.errors import ArchiveError

EDGE = 1 << 16
"""Bytes at either end of a file that its fingerprint covers."""


class ByteSource(Protocol):
    """Bytes that can be read by offset: a file, a member of an archive, later a URL.

    `name` is what the user called it; `size` is None only for a pipe.
    """

    @property
    def name(self) -> str: ...
    @property
    def size(self) -> int | None: ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes from `offset`, fewer than `length` only at the end; may be called from any thread."""

    def fingerprint(self) -> str | None:
        """A key that changes with the contents; None if they must never be cached."""

    def close(self) -> None:
        """Give back what the source holds; reading afterwards is an error."""


class BytesSource:
    """Bytes in memory."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        self.size = len(data)
        self._data = data

    def read_at(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]

    def fingerprint(self) -> str | None:
        return None

    def close(self) -> None:
        self._data = b""


class FileSource:
    """A file or block device on disk, read with pread.

    Raises ArchiveError (`archive.not-found`, `archive.not-a-file`, `archive.io`) with the
    system's reason.  A fifo or a character device is refused without waiting for it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.name = os.fspath(path)
        self._fd = -1
        self._fd, self.size = _open_regular(self.name)

    def read_at(self, offset: int, length: int) -> bytes:
        return pread(self._fd, offset, length, self.name)

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill a buffer from `offset`; returns the bytes read, fewer than it holds only at the end."""
        return read_into(self._fd, offset, buffer)

    def fingerprint(self) -> str | None:
        return fingerprint(self, os.fstat(self._fd))

    def close(self) -> None:
        descriptor, self._fd = self._fd, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> FileSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    __del__ = close


def pread(descriptor: int, offset: int, length: int, name: str) -> bytes:
    """Bytes of an open file, fewer than `length` only at its end; ArchiveError `archive.io`."""
    try:
        data = os.pread(descriptor, length, offset)
        if len(data) == length or not data:
            return data
        parts = [data]
        while data and (missing := length - sum(map(len, parts))):
            data = os.pread(descriptor, missing, offset + length - missing)
            parts.append(data)
        return b"".join(parts)
    except (OSError, OverflowError) as error:
        raise _unreadable(offset, error) from error


def read_into(descriptor: int, offset: int, buffer: memoryview) -> int:
    """As `pread`, into memory that is there: what is read again and again need not be paged in anew."""
    done = 0
    try:
        while done < len(buffer) and (got := os.preadv(descriptor, [buffer[done:]], offset + done)):
            done += got
    except (OSError, OverflowError) as error:
        raise _unreadable(offset + done, error) from error
    return done


def _unreadable(offset: int, error: OSError | OverflowError) -> ArchiveError:
    reason = getattr(error, "strerror", None) or str(error)
    return ArchiveError(
        f"cannot be read at byte {offset}: {reason}",
        hint="is the disk whole and the file still open?",
        code="archive.io",
    )


def fingerprint(source: ByteSource, status: os.stat_result) -> str:
    """Device, inode, size, times and a digest of both ends: what a cached index is filed under."""
    import hashlib

    tail = max(0, status.st_size - EDGE)
    digest = hashlib.sha256(source.read_at(0, EDGE) + source.read_at(tail, EDGE)).hexdigest()
    facts = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return "-".join([*map(str, facts), digest])


def _open_regular(path: str) -> tuple[int, int]:
    """Descriptor and size of a regular file or block device, never waiting for a writer."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ArchiveError(
            f"{path} cannot be opened: {reason}",
            hint="check the path and who may read it",
            code="archive.not-found" if isinstance(error, FileNotFoundError) else "archive.io",
        ) from error
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode) or stat.S_ISBLK(mode):
        return descriptor, os.lseek(descriptor, 0, os.SEEK_END)
    os.close(descriptor)
    raise ArchiveError(f"{path} is {_kind(mode)}, not a file", hint=_cure(mode), code="archive.not-a-file")


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a pipe" if stat.S_ISFIFO(mode) else "a device or socket"


def _cure(mode: int) -> str:
    return "open it as a folder" if stat.S_ISDIR(mode) else "copy its bytes into a file, or pipe them in"
