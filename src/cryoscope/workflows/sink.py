"""The file that a capture goes into: named incomplete until it is whole, hashed while it is written.

The name is `NAME.incomplete` until `finish`; a capture that is killed at any instant leaves that name and no
other.  Nothing that is there already is replaced, neither by the one name nor by the other.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from cryoscope.durable import move, sync_folder
from cryoscope.engines.following import Follower
from cryoscope.engines.host import Host
from cryoscope.errors import Incomplete, UsageError
from cryoscope.hashing import Sum

PRIVATE = 0o600
LOOK = 0.005
"""Seconds between two looks at a file that another process writes."""
TRIES = 100
"""Names that are tried for an incomplete file beside those of captures that were killed."""


class Sink:
    """A new file for one capture; a context manager that keeps the incomplete file on any failure.

    `name` is what it is called in the end, `path` what it is called while it is incomplete.  Raises
    `UsageError` if `name` is there already.
    """

    def __init__(self, name: str, progress: Callable[[int, int | None], None] | None = None) -> None:
        if os.path.lexists(name):
            raise UsageError(
                f"{name} is there already", hint="name a new file with -o", code="capture.exists"
            )
        self.name = name
        self.size = 0
        self.path, self._file = _create(name)
        self._progress = progress
        self._hash = Sum()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hash.stop()
        if self._progress is not None:
            self._progress(self.size, self.size)
        os.close(self._file)
        if self.size == 0 and self.path != self.name and _empty(self.path):
            os.unlink(self.path)  # nothing was captured: nothing is incomplete

    def write(self, block: bytes | memoryview) -> None:
        """Append to the file; a block that is read-only must not change.

        Raises `Incomplete` where there is no room.
        """
        view = left = memoryview(block)
        with _full(self.path):
            while left:
                left = left[os.write(self._file, left) :]
        self._count(block if view.readonly else bytes(block))

    def _count(self, block: bytes | memoryview) -> None:
        self._hash.add(block)
        self.size += len(block)
        if self._progress is not None:
            self._progress(self.size, None)

    @contextlib.contextmanager
    def lend(self, host: Host) -> Iterator[str]:
        """A path on `host` that an engine writes to itself; hashed, and fetched if need be, meanwhile.

        Raises `Incomplete` if it was another file in the end than the one that was hashed.
        """
        seen = host.inside(self.path)
        if seen is not None:  # the engine sees it, too
            with self._followed(self.path, self._count):
                yield seen
            self._same(self.path)
            return
        with host.scratch() as folder:
            inside = folder + "/archive.tar"
            outside = host.path(inside)
            os.close(os.open(outside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))
            with self._followed(outside, self.write):
                yield inside

    def _same(self, path: str) -> None:
        """Whether the engine wrote into the file that it was lent, once and from its start to its end."""
        found, mine = os.stat(path), os.fstat(self._file)
        if (found.st_ino, found.st_size) != (mine.st_ino, self.size):
            raise Incomplete(
                f"the engine did not write {path} in one go",
                hint="take the checkpoint again: its digest would be of other bytes",
                code="capture.rewritten",
            )

    @contextlib.contextmanager
    def _followed(self, path: str, take: Callable[[bytes], None]) -> Iterator[None]:
        """While somebody writes `path`, and to its end after that: give what is written to `take`."""
        follower = Follower(lambda _over: os.open(path, os.O_RDONLY | os.O_CLOEXEC), take, look=LOOK)
        follower.start()
        try:
            yield
        finally:
            follower.finish()

    def digest(self) -> str:
        """The SHA-256 of what was written, in hex; nothing can be written after it."""
        return self._hash.hex()

    def finish(self) -> None:
        """Give the file its name, on the disk before that; raises `Incomplete` if the name was taken."""
        with _full(self.path):
            os.fsync(self._file)
        try:
            move(self.path, self.name)
        except FileExistsError:
            raise Incomplete(
                f"{self.name} has come up meanwhile",
                hint=f"the archive is {self.path}",
                code="capture.exists",
            ) from None
        self.path = self.name
        sync_folder(os.path.dirname(os.path.abspath(self.name)))


def _create(name: str) -> tuple[str, int]:
    """A new incomplete file and its descriptor."""
    for number in range(1, TRIES):
        path = f"{name}.incomplete" if number == 1 else f"{name}.{number}.incomplete"
        try:
            return path, os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, PRIVATE)
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(
                f"{path} cannot be made: {error.strerror}",
                hint="name a file in a folder that is there and that you may write to, with -o",
                code="capture.output",
            ) from None
    raise UsageError(
        f"{TRIES} incomplete captures lie beside {name}",
        hint="look at them and take them away",
        code="capture.exists",
    )


def _empty(path: str) -> bool:
    try:
        return os.stat(path).st_size == 0
    except OSError:
        return False


@contextlib.contextmanager
def _full(path: str) -> Iterator[None]:
    """Turns a full disk into an error with a cure."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise Incomplete(
            f"{error.strerror}: {path}", hint="name a place with more room with -o", code="capture.disk-full"
        ) from None
