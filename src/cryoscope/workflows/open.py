"""The only opener: what a user names becomes an `Archive` or a `Checkpoint`.

A file, a folder, or `-` for standard input.  Other places (an image in a registry, a URL, a case)
become a `ByteSource` here and nothing behind it changes.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from cryoscope.checkpoint.archive import (
    Archive,
    ByteSource,
    FileSource,
    IndexCache,
    Keep,
    PipeSource,
    Tap,
    open_archive,
    open_folder,
)
from cryoscope.errors import ArchiveError, CryoscopeError

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint
    from cryoscope.workflows.access import Access

STANDARD_INPUT = "-"
CASE = "case://"
REMOTE = ("oci://", "https://", "http://", "s3://")

Progress = Callable[[int, int | None], None]
"""Called with the bytes read so far and the size of the source, if that is known."""


def open_at(
    target: str,
    *,
    cache: IndexCache | None = None,
    keep: Keep | None = None,
    progress: Progress | None = None,
    tap: Tap | None = None,
    access: Access | None = None,
) -> Archive:
    """The archive that `target` names; raises `ArchiveError` with a cure where it cannot be opened.

    `access` is what the custody log says of evidence out of a case.
    """
    if target.startswith(CASE):
        from cryoscope.workflows.case_open import open_evidence

        return open_evidence(target, access, keep=keep, progress=progress, tap=tap)
    if access is not None and access.action == "reveal":
        from cryoscope.workflows.roles import permit

        permit(access.action)
    if target.startswith(REMOTE):
        from cryoscope.workflows.remote import open_remote

        return open_remote(target, cache=cache, keep=keep, progress=progress, tap=tap)
    try:
        if target != STANDARD_INPUT and os.path.isdir(target):
            return open_folder(target)
        source = source_at(target)
    except OSError as error:
        raise unreadable(target, error) from None
    if target == STANDARD_INPUT:
        cache = None
    try:
        return open_archive(source, cache=cache, keep=keep, progress=progress, tap=tap)
    except OSError as error:
        source.close()
        raise unreadable(target, error) from None
    except CryoscopeError:
        source.close()
        raise


def open_checkpoint(
    target: str,
    *,
    cache: IndexCache | None = None,
    stacks: bool = False,
    progress: Progress | None = None,
    access: Access | None = None,
) -> Checkpoint:
    """The checkpoint that `target` names.

    With `stacks`, the ends of the stacks are kept while a compressed archive streams by, so that
    command lines and environments do not cost a second pass.
    """
    from cryoscope.checkpoint.checkpoint import Checkpoint

    keep = None
    if stacks:
        from cryoscope.checkpoint.keep import StackEnds

        keep = StackEnds()
    archive = open_at(target, cache=cache, keep=keep, progress=progress, access=access)
    try:
        return Checkpoint(archive)
    except CryoscopeError:
        archive.close()
        raise


def source_at(target: str) -> ByteSource:
    """Where the bytes of `target` lie."""
    if target.startswith(REMOTE):
        from cryoscope.workflows.remote import remote_source

        return remote_source(target)
    if target != STANDARD_INPUT:
        if not stat.S_ISREG(os.stat(target).st_mode):
            raise ArchiveError(
                "is neither a file nor a folder",
                hint="give the archive or the folder of the checkpoint",
                code="open.kind",
            )
        if not os.access(target, os.R_OK):
            raise PermissionError
        return FileSource(target)
    if sys.stdin is None or sys.stdin.buffer.isatty():
        raise ArchiveError(
            "standard input is a terminal", hint="pipe an archive in, or name a file", code="open.terminal"
        )
    if stat.S_ISREG(os.fstat(sys.stdin.fileno()).st_mode):
        source = FileSource(f"/proc/self/fd/{sys.stdin.fileno()}")
        source.name = "standard input"
        return source
    return PipeSource(sys.stdin.buffer, "standard input")


def unreadable(target: str, error: OSError) -> ArchiveError:
    """The error for a file that the system would not open."""
    if isinstance(error, FileNotFoundError):
        return ArchiveError("does not exist", hint=_nearby(target), code="open.missing")
    if isinstance(error, PermissionError):
        return ArchiveError(
            "may not be read by you",
            hint="engines write checkpoints for root only: run as root, or copy it with its owner's rights",
            code="open.permission",
        )
    return ArchiveError(f"cannot be read: {error.strerror or error}", code="open.failed")


def _nearby(target: str) -> str:
    """A hint that names a file the user may have meant."""
    import difflib

    folder, base = os.path.split(target)
    try:
        names = os.listdir(folder or ".")[:5000]
    except OSError:
        return f"there is no folder {folder} either"
    close = difflib.get_close_matches(base, names, n=1)
    return f"did you mean {os.path.join(folder, close[0])}?" if close else "check the path"
