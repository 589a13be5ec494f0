"""A folder for the files that other programs are shown, and a core file without a name.

Memory holds every secret of a process: the core has no name while there is anything in it, so that nothing
is left of it however this ends.  It takes its room in the folder for temporary files (TMPDIR).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from cryoscope.errors import CryoscopeError


@contextmanager
def folder() -> Iterator[str]:
    """A new folder that only its owner may enter, taken away afterwards; raises CryoscopeError."""
    try:
        made = tempfile.TemporaryDirectory(prefix="cryoscope-", ignore_cleanup_errors=True)
    except OSError as error:
        raise CryoscopeError(
            f"there is no folder for temporary files: {error.strerror or error}",
            hint="set TMPDIR to one with room for the memory of a process",
            code="stack.temporary",
        ) from None
    with made as path:
        yield path


@contextmanager
def nameless(folder: str) -> Iterator[int]:
    """The descriptor of an empty file in `folder` that no name leads to."""
    descriptor, name = tempfile.mkstemp(dir=folder)
    try:
        os.unlink(name)
        yield descriptor
    finally:
        os.close(descriptor)
