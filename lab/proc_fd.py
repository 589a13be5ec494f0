"""What waits in a descriptor of another process, asked through a copy of it (pidfd_getfd(2))."""

from __future__ import annotations

import array
import ctypes
import fcntl
import os
import termios
from collections.abc import Iterator
from contextlib import contextmanager

PIDFD_GETFD = 438
"""The same number on every architecture (asm-generic/unistd.h)."""
F_GETPIPE_SZ = 1032


@contextmanager
def copied(pid: int, fd: int) -> Iterator[int]:
    """A copy of descriptor `fd` of process `pid` for as long as it takes; raises `OSError`."""
    process = os.pidfd_open(pid)
    try:
        copy = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, process, fd, 0)
    finally:
        os.close(process)
    if copy < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    try:
        yield copy
    finally:
        os.close(copy)


def waiting(pid: int, fd: int) -> tuple[int | None, int | None]:
    """Bytes that can be read from a pipe, socket or terminal, and the size of a pipe; None if unknown."""
    size = array.array("i", [0])
    try:
        with copied(pid, fd) as copy:
            queued = size[0] if not fcntl.ioctl(copy, termios.FIONREAD, size) else None
            return queued, _pipe_size(copy)
    except OSError:
        return None, None


def _pipe_size(fd: int) -> int | None:
    try:
        return fcntl.fcntl(fd, F_GETPIPE_SZ)
    except OSError:
        return None
