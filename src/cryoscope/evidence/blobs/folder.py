"""Blobs in a folder: a file each, on the disk before it has its name, and never a second time.

`incoming/` holds what is being written.  Whoever writes holds a lock (flock) on the file, which the kernel
gives back when the process ends in any way, so that `sweep` takes only what nobody writes any more.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Iterator

from cryoscope.checkpoint.archive import ByteSource, FileSource
from cryoscope.durable import link, sync_folder
from cryoscope.errors import Incomplete
from cryoscope.evidence.blobs.keys import INCOMING, checked, folder_of
from cryoscope.evidence.ports import BlobExists, BlobMissing, EvidenceError, Upload

PRIVATE, PRIVATE_FOLDER = 0o600, 0o700
SUFFIX = ".part"


class FolderBlobs:
    """The blobs of a folder, which is made if it is not there; raises `EvidenceError` `evidence.folder`."""

    def __init__(self, path: str) -> None:
        self.url = os.path.abspath(path)
        self._incoming = os.path.join(self.url, INCOMING)
        with _told(self.url):
            make_folders(self._incoming)

    @contextlib.contextmanager
    def upload(self) -> Iterator[Upload]:
        """A new blob; left without `commit`, nothing stays."""
        upload = _FolderUpload(self)
        try:
            yield upload
        finally:
            upload.close()

    def path(self, key: str) -> str:
        """Where the blob of a key lies."""
        return os.path.join(self.url, *checked(key).split("/"))

    def source(self, key: str) -> ByteSource:
        """The bytes of a blob; raises `BlobMissing`, also where a link or a folder took its place."""
        if self.size(key) is None:
            raise BlobMissing(f"the blob {key} is not in {self.url}", hint="verify the case")
        return FileSource(self.path(key))

    def size(self, key: str) -> int | None:
        """Bytes of a blob, None if there is no file of its own."""
        with _told(self.url):
            try:
                status = os.lstat(self.path(key))
            except (FileNotFoundError, NotADirectoryError):
                return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def delete(self, key: str) -> None:
        """Remove a blob, for good when this returns; that there is none is no error."""
        path = self.path(key)
        with _told(self.url), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(path)
            sync_folder(os.path.dirname(path))

    def keys(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """Keys that start with `prefix`, with sizes, in order."""
        below = folder_of(prefix)
        if not os.path.isdir(os.path.join(self.url, below)):
            return iter(())
        return (found for found in self._walk(below) if found[0].startswith(prefix))

    def _walk(self, below: str) -> Iterator[tuple[str, int]]:
        with _told(self.url), os.scandir(os.path.join(self.url, below)) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            key = below + entry.name
            if entry.is_dir(follow_symlinks=False):
                if key != INCOMING:
                    yield from self._walk(key + "/")
            elif entry.is_file(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                    yield key, entry.stat(follow_symlinks=False).st_size

    def sweep(self, older: float) -> list[str]:
        """Take away what uploads left whose process ended, last written more than `older` seconds ago."""
        with _told(self.url), self._between_uploads():
            left = [name for name in sorted(os.listdir(self._incoming)) if name.endswith(SUFFIX)]
            return [name for name in left if _take_away(os.path.join(self._incoming, name), older)]

    def free(self) -> int:
        """Bytes that a user may still write on the disk of the folder."""
        with _told(self.url):
            status = os.statvfs(self.url)
        return status.f_bavail * status.f_frsize

    @contextlib.contextmanager
    def _between_uploads(self) -> Iterator[None]:
        """While this holds, no upload is between making its file and locking it."""
        folder = os.open(self._incoming, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def create(self) -> tuple[str, int]:
        """A new locked file in `incoming/`, and its descriptor."""
        path = os.path.join(self._incoming, secrets.token_hex(16) + SUFFIX)
        with _told(self.url), self._between_uploads():
            file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, PRIVATE)
            fcntl.flock(file, fcntl.LOCK_EX)
        return path, file


class _FolderUpload:
    """A file in `incoming/` that is locked while it is written."""

    def __init__(self, blobs: FolderBlobs) -> None:
        self._blobs = blobs
        self._path, self._file = blobs.create()

    def write(self, block: bytes | memoryview) -> None:
        """Append; raises `Incomplete` (`evidence.disk-full`)."""
        view = memoryview(block).cast("B")
        with _told(self._blobs.url):
            while view:
                view = view[os.write(self._file, view) :]

    def commit(self, key: str) -> None:
        """Give the file its name: the bytes are on the disk before that, the name when this returns."""
        path = self._blobs.path(key)
        with _told(self._blobs.url):
            os.fsync(self._file)
            make_folders(os.path.dirname(path))
            try:
                link(self._path, path)
            except FileExistsError:
                raise BlobExists(f"the blob {key} is there already") from None
            finally:  # another process may have been killed right before this
                sync_folder(os.path.dirname(path))

    def close(self) -> None:
        """Let go of the file in `incoming/`; the blob, if it became one, has a name of its own."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        os.close(self._file)


def _take_away(path: str, older: float) -> bool:
    """Remove a file in `incoming/` unless somebody writes it or did so a moment ago."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False  # committed meanwhile, or no file of ours
    try:
        if time.time() - os.fstat(file).st_mtime < older:
            return False
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    except (BlockingIOError, FileNotFoundError):
        return False
    finally:
        os.close(file)
    return True


def make_folders(path: str) -> None:
    """Make a folder and those above it, private, each on the disk before anything goes into it."""
    if os.path.isdir(path):
        return
    above = os.path.dirname(path)
    make_folders(above)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, PRIVATE_FOLDER)
    sync_folder(above)


@contextlib.contextmanager
def _told(url: str) -> Iterator[None]:
    """Turns the system's errors into ones with a cure."""
    try:
        yield
    except FileExistsError as error:
        raise EvidenceError(f"{error.filename} is no folder", code="evidence.folder") from None
    except OSError as error:
        reason = f"{error.strerror}: {error.filename or url}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            hint = "make room, or prune the store"
            raise Incomplete(reason, hint=hint, code="evidence.disk-full") from None
        hint = "is the folder there, and may you write to it?"
        raise EvidenceError(reason, hint=hint, code="evidence.folder") from None
