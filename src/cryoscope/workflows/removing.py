"""Removing one file that others may be using: never through a link, never another one, never an open one."""

from __future__ import annotations

import fcntl
import os
import signal
import stat


def remove(folder: str, name: str, identity: tuple[int, int]) -> str | None:
    """Remove the file of that device and inode, on the disk when this returns; why it was left, else None."""
    try:
        return _remove(folder, name, identity)
    except OSError as error:
        return f"it cannot be removed: {error.strerror}"


def _remove(folder: str, name: str, identity: tuple[int, int]) -> str | None:
    above = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=above)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode) or (status.st_dev, status.st_ino) != identity:
                return "it is another file by now"
            if _is_open(file):
                return "another process has it open"
            os.unlink(name, dir_fd=above)
        finally:
            os.close(file)
        os.fsync(above)
    finally:
        os.close(above)
    return None


def _is_open(file: int) -> bool:
    """Whether anybody else has the file open, as far as the kernel tells: a lease is given to one alone.

    The lease lasts until the file is closed.  When somebody opens it meanwhile, a signal is sent here, which
    must be one that ends nothing.  fcntl(2), "Leases".
    """
    try:
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except BlockingIOError:
        return True
    except OSError:  # a file system without leases, or another user's file
        return _is_open_in_proc(file)
    return False


def _is_open_in_proc(file: int) -> bool:
    """Whether a process that may be looked at has the file open."""
    wanted, mine = os.fstat(file), str(os.getpid())
    for process in filter(str.isdigit, os.listdir("/proc")):
        if process == mine:
            continue
        try:
            for number in os.listdir(f"/proc/{process}/fd"):
                found = os.stat(f"/proc/{process}/fd/{number}")
                if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                    return True
        except OSError:  # it ended, or is not ours to look at
            continue
    return False
