"""A second name for a file, never in place of another: link(2), or renameat2(2) where there are no links."""

from __future__ import annotations

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


def rename(old: str, new: str) -> None:
    """Rename without replacing."""
    libc = ctypes.CDLL(None, use_errno=True)
    renameat2 = getattr(libc, "renameat2", None)
    if renameat2 is None:  # musl before 1.2.6
        raise OSError(errno.ENOSYS, "no hard links and no renameat2", new)
    if renameat2(AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), RENAME_NOREPLACE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), new)
