"""A lock on the lab: builds hold it alone, nodes share it."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

NAME = "lock"


class Lock:
    """Held from entry to exit, and by every process that inherits its descriptor `fd`."""

    def __init__(self, folder: Path, *, shared: bool) -> None:
        self.fd = os.open(folder / NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX

    def __enter__(self) -> Self:
        try:
            fcntl.flock(self.fd, self.kind | fcntl.LOCK_NB)
        except BlockingIOError:
            print("lab: waiting for another build or running node", file=sys.stderr, flush=True)
            fcntl.flock(self.fd, self.kind)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.fd)
