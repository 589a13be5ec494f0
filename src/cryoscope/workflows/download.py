"""A blob that becomes a file: under another name until it is whole and what its digest says.

A download that was cut goes on where it ended, in the next run, too: what is there is hashed first, and the
digest decides over all of it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator

from cryoscope.durable import move, sync_folder
from cryoscope.errors import CryoscopeError, Incomplete, UsageError
from cryoscope.images.ports import Descriptor, OciError
from cryoscope.workflows.open import Progress

PRIVATE = 0o600
BLOCK = 1 << 20

GOES_ON = ("remote.unreachable", "remote.timeout", "remote.cut", "remote.busy", "registry.busy")
"""What ends by itself, so that to pull again is the cure."""

Rest = Callable[[int], Iterable[bytes]]
"""The bytes of the blob from an offset."""


def download(rest: Rest, blob: Descriptor, name: str, progress: Progress | None = None) -> int:
    """Write a blob to the new file `name`; returns the bytes that came.

    Raises `UsageError` `image.exists`, `OciError` `image.digest`, `Incomplete` (`image.cut`,
    `image.disk-full`), which leave what came.
    """
    if os.path.lexists(name):
        raise UsageError(f"{name} is there already", hint="name a new file", code="image.exists")
    path = f"{name}.{blob.digest[7:19]}.incomplete"
    with _part(path) as handle:
        there = min(os.fstat(handle).st_size, blob.size)
        came = _filled(handle, rest, blob, there, path, progress)
        if came is None and there:  # what lay there was something else: once more, from the start
            there, came = 0, _filled(handle, rest, blob, 0, path, progress)
        if came is None:
            os.unlink(path)
            raise OciError(
                f"the bytes of {blob.digest} are others than its digest says",
                hint="the registry, or somebody on the way to it, changed them",
                code="image.digest",
            )
        os.fsync(handle)
        _appear(path, name)
    return came


def _filled(
    handle: int, rest: Rest, blob: Descriptor, start: int, path: str, progress: Progress | None
) -> int | None:
    """Bring the file from `start` to its end; the bytes that came, or None where the digest is another."""
    os.ftruncate(handle, start)
    digest = hashlib.sha256()
    for at in range(0, start, BLOCK):
        digest.update(os.pread(handle, min(BLOCK, start - at), at))
    at = start
    with _cut(path):
        for block in rest(start):
            digest.update(block)
            at += _written(handle, block, at)
            if progress is not None:
                progress(at, blob.size)
    return at - start if "sha256:" + digest.hexdigest() == blob.digest else None


def _written(handle: int, block: bytes, at: int) -> int:
    view = memoryview(block)
    while view:
        done = os.pwrite(handle, view, at)
        view, at = view[done:], at + done
    return len(block)


@contextlib.contextmanager
def _part(path: str) -> Iterator[int]:
    """The unfinished file, for one process at a time."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be made: {error.strerror}",
            hint="name a file in a folder that is there and that you may write to",
            code="image.output",
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield handle
    except BlockingIOError:
        raise UsageError(f"{path} is being written by another process", code="image.busy") from None
    finally:
        os.close(handle)


@contextlib.contextmanager
def _cut(path: str) -> Iterator[None]:
    """What ends a download half-way, with what to do about it."""
    try:
        yield
    except OSError as error:
        raise Incomplete(
            f"{error.strerror}: {path}", hint="make room and pull again", code="image.disk-full"
        ) from None
    except CryoscopeError as error:
        if error.code == "registry.digest":
            os.unlink(path)
        if error.code not in GOES_ON:
            raise
        raise Incomplete(
            error.message, hint="pull again: it goes on where it ended", code="image.cut"
        ) from error


def _appear(path: str, name: str) -> None:
    """The file under its own name; nothing that came up meanwhile is replaced."""
    try:
        move(path, name)
    except FileExistsError:
        raise UsageError(f"{name} has come up meanwhile", hint=f"it is {path}", code="image.exists") from None
    sync_folder(os.path.dirname(os.path.abspath(name)))
