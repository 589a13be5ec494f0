"""One capture of a container at a time, a second apart, and no path twice.

A kubelet names archives to the second and opens them without truncating or excluding: two in one second
become one mixed file.  A lock file for each container lets this user's processes take turns on this machine;
it remembers when the last call ended and the paths that were answered.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator

import msgspec

APART = 1.05
"""Seconds between the end of one call and the next: more than the second that names have."""
REMEMBERED = 64
_IN_MEMORY: dict[str, int] = {}
"""Lock files of a process that has no folder to write in."""
STATE = 64 << 10
"""Bytes of a lock file that are read: 64 paths have half of it."""


class Turn(msgspec.Struct):
    """What is remembered of a container: when its last call ended (Unix time), the last paths."""

    ended: float = 0.0
    paths: list[str] = []


@contextlib.contextmanager
def turn(key: str) -> Iterator[Turn]:
    """Wait for the others and for the second to pass; what is changed in it is kept."""
    descriptor = _open(key)
    try:
        # Waits without end: the other one holds it as long as its kubelet works, and a dead one not at all.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        found = _read(descriptor)
        time.sleep(max(0.0, min(APART, found.ended + APART - time.time())))
        try:
            yield found
        finally:
            found.ended = time.time()
            found.paths = found.paths[-REMEMBERED:]
            _write(descriptor, found)
    finally:
        os.close(descriptor)


def folder() -> str:
    """Where the lock files lie: this user's own."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(cache, "cryoscope", "kubelet")


def _open(key: str) -> int:
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        os.makedirs(folder(), mode=0o700, exist_ok=True)
        return os.open(os.path.join(folder(), name), flags, 0o600)
    except OSError:
        # A pod with a read-only root: this process is then the only one that knows.
        if name not in _IN_MEMORY:
            _IN_MEMORY[name] = os.memfd_create("turn", os.MFD_CLOEXEC)
        return os.open(f"/proc/self/fd/{_IN_MEMORY[name]}", os.O_RDWR | os.O_CLOEXEC)


def _read(descriptor: int) -> Turn:
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        return msgspec.json.decode(os.pread(descriptor, STATE, 0), type=Turn)
    return Turn()


def _write(descriptor: int, found: Turn) -> None:
    data = msgspec.json.encode(found)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, data, 0)
