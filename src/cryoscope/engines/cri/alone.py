"""One capture of a container at a time: two at once share a folder of the runtime's, and may mix their files.

Whoever else captures it, such as a kubelet, does not ask here; that race is known and retried (`capture`).
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from cryoscope.engines.host import SCRATCH, Host
from cryoscope.engines.port import EngineError

LOOK = 0.05
"""Seconds between two looks."""


@contextmanager
def alone(host: Host, container: str, timeout: float) -> Iterator[None]:
    """While no other capture of ours of this container goes on; raises `EngineError` if one does too long.

    Whoever may not write where the lock is goes on without it.
    """
    base = host.path(SCRATCH)
    try:
        os.makedirs(base, mode=0o700, exist_ok=True)
    except PermissionError:
        yield
        return
    path = f"{base}/capturing-{container}"
    held = _held(path, time.monotonic() + timeout)
    try:
        yield
    finally:
        os.unlink(path)
        os.close(held)


def _held(path: str, deadline: float) -> int:
    """A descriptor of the lock's file, locked, which is still the file of that name."""
    while True:
        found = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(found), os.stat(path)):
                return found
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(found)
        if time.monotonic() > deadline:
            raise EngineError(
                "another capture of the container is going on",
                hint="wait for it to end and try again",
                code="cri.busy",
            )
        time.sleep(LOOK)
