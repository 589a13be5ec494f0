"""Files of the node that a runtime names: its word is not taken for the way there.

Every step of the path is opened without following links, so that a link cannot lead to another file, and
one in the root of another process not out of that root.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

from cryoscope import limits
from cryoscope.engines.host import Host

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
RUN = "/var/run/"
"""A link to /run on every machine with these engines."""
BLOCK = 1 << 20


def opened(host: Host, path: str) -> int:
    """A descriptor of a file of the host, reached without a link; raises OSError."""
    if path.startswith(RUN):
        path = "/run/" + path.removeprefix(RUN)
    *folders, name = _steps(path)
    at = os.open(host.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for step in folders:
            below = os.open(step, FOLDER, dir_fd=at)
            os.close(at)
            at = below
        return os.open(name, FILE, dir_fd=at)
    finally:
        os.close(at)


def _steps(path: str) -> list[str]:
    steps = [step for step in path.split("/") if step]
    if not path.startswith("/") or not steps or {".", ".."} & {*steps}:
        raise OSError(f"{path} is no plain absolute path")
    return steps


def log(host: Host, path: str, container: str) -> str:
    """The end of a log of CRIU that a runtime named for a container; empty if it cannot be read."""
    if f"/{container}/" not in path or not path.endswith(".log"):
        return ""
    return next(_read(host, path), "")


def whole(host: Host, path: str) -> Iterator[bytes]:
    """What is in a plain file now, though it may grow meanwhile; raises OSError."""
    file = opened(host, path)
    with os.fdopen(file, "rb") as found:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no plain file")
        left = status.st_size
        while left and (block := found.read(min(left, BLOCK))):
            yield block
            left -= len(block)


def _read(host: Host, path: str) -> Iterator[str]:
    try:
        file = opened(host, path)
    except OSError:
        return
    with os.fdopen(file, "rb") as found:
        status = os.fstat(file)
        if stat.S_ISREG(status.st_mode):
            found.seek(max(0, status.st_size - limits.CRIU_LOG))
            yield found.read(limits.CRIU_LOG).decode(errors="replace")
