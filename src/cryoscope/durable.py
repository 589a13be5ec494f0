"""Names of files: on the disk when somebody is told so, and never in place of another.

link(2), or renameat2(2) where a file system has no links.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os

RENAME_NOREPLACE = 1
"""linux/fs.h"""
AT_FDCWD = -100
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""What file systems without hard links (FAT, some of FUSE and CIFS) answer."""


def link(old: str, new: str) -> None:
    """Give the file `old` the name `new`, atomically; `old` may be gone afterwards.

    Raises `FileExistsError` if the name is taken, `OSError` where the file system can do neither.
    """
    try:
        os.link(old, new)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        rename(old, new)


def move(old: str, new: str) -> None:
    """Give the file `old` the name `new` instead; raises what `link` does."""
    link(old, new)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(old)


def rename(old: str, new: str) -> None:
    """Rename without replacing."""
    libc = ctypes.CDLL(None, use_errno=True)
    renameat2 = getattr(libc, "renameat2", None)
    if renameat2 is None:  # musl before 1.2.6
        raise OSError(errno.ENOSYS, "no hard links and no renameat2", new)
    if renameat2(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), RENAME_NOREPLACE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), new)


def sync_folder(path: str) -> None:
    """Have the names in a folder on the disk."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
