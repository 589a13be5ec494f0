"""Where a command writes: standard output, or a new file that only its owner may read."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import BinaryIO

from cryoscope.errors import UsageError

PRIVATE = 0o600
"""Whatever comes out of a checkpoint may be secret."""


@contextlib.contextmanager
def writing(path: str | None, *, append: bool = False) -> Iterator[BinaryIO]:
    """Standard output, or the file `path`, which must not be there yet (unless to append)."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    flags = os.O_APPEND if append else os.O_CREAT | os.O_EXCL
    try:
        descriptor = os.open(path, os.O_WRONLY | flags | os.O_CLOEXEC, PRIVATE)
    except FileExistsError:
        raise UsageError(f"{path} is there already", hint="name a new file", code="write.exists") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
    except BaseException:
        if not append:  # half a file must not look like a whole one
            os.unlink(path)
        raise


def new_folder(path: str) -> None:
    """A new or empty folder for files that a command makes; raises `UsageError` for a full one."""
    os.makedirs(path, mode=0o700, exist_ok=True)
    if os.listdir(path):
        raise UsageError(f"{path} is not empty", hint="name a new folder", code="write.exists")
