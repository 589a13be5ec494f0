"""The folder of a bundle while it is written: named incomplete until all of it is on the disk."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from cryoscope.checkpoint.archive import ByteSource
from cryoscope.durable import sync_folder
from cryoscope.errors import Incomplete, UsageError
from cryoscope.evidence.bundle.layout import path_in
from cryoscope.text import escape, readable

PRIVATE, FOLDER = 0o600, 0o700
BLOCK = 4 << 20
TRIES = 100
Progress = Callable[[int], None]


class Folder:
    """A new folder with files that are written once; `sums` are their digests.

    A context manager: it has its name when that ends well, and is taken away when it does not, for it may
    hold decrypted evidence.  A kill leaves the incomplete name.
    """

    def __init__(self, name: str, progress: Progress) -> None:
        self.name = name
        self.sums: dict[str, str] = {}
        self.path = _create(name)
        self.size = 0
        self._progress = progress

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            if self.path != self.name:
                shutil.rmtree(self.path, ignore_errors=True)

    @contextmanager
    def file(self, name: str) -> Iterator[Writer]:
        """A new file of the bundle, on the disk when this ends."""
        path = path_in(self.path, name)
        os.makedirs(os.path.dirname(path), FOLDER, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, PRIVATE)
        writer = Writer(descriptor, self._progress)
        try:
            yield writer
            os.fsync(descriptor)
        except OSError as error:
            raise Incomplete(
                f"{error.strerror}: {escape(readable(path))}",
                hint="make room, or export to another disk",
                code="bundle.disk",
            ) from None
        finally:
            os.close(descriptor)
        self.sums[name] = writer.digest
        self.size += writer.size

    def put(self, name: str, data: bytes) -> None:
        """A small file."""
        with self.file(name) as file:
            file.write(data)

    def copy(self, name: str, source: ByteSource) -> None:
        """All bytes of a source."""
        with self.file(name) as file:
            offset = 0
            while block := source.read_at(offset, BLOCK):
                file.write(block)
                offset += len(block)

    def listed(self) -> bytes:
        """SHA256SUMS of what was written so far."""
        return "".join(f"{digest}  {name}\n" for name, digest in sorted(self.sums.items())).encode()

    def _finish(self) -> None:
        """Give the folder its name, on the disk before that."""
        for place, _, _ in os.walk(self.path):
            sync_folder(place)
        if os.path.lexists(self.name):
            raise Incomplete(
                f"{escape(readable(self.name))} has come up meanwhile",
                hint="name another folder",
                code="bundle.exists",
            )
        os.rename(self.path, self.name)
        self.path = self.name
        sync_folder(os.path.dirname(os.path.abspath(self.name)))


class Writer:
    """A file that is hashed while it is written: what `forms.keep` writes to, too."""

    def __init__(self, descriptor: int, progress: Progress) -> None:
        self.size = 0
        self._descriptor = descriptor
        self._sum = hashlib.sha256()
        self._progress = progress

    def write(self, block: bytes | memoryview) -> None:
        """Append."""
        view = memoryview(block).cast("B")
        self._sum.update(view)
        self.size += len(view)
        self._progress(len(view))
        while view:
            view = view[os.write(self._descriptor, view) :]

    @property
    def digest(self) -> str:
        return self._sum.hexdigest()


def _create(name: str) -> str:
    """A new folder with an incomplete name beside `name`."""
    if os.path.lexists(name):
        raise UsageError(
            f"{escape(readable(name))} is there already", hint="name a new folder", code="bundle.exists"
        )
    try:
        for number in range(1, TRIES):
            path = f"{name}.incomplete" if number == 1 else f"{name}.{number}.incomplete"
            if not os.path.lexists(path):
                os.mkdir(path, FOLDER)
                return path
    except OSError as error:
        raise UsageError(
            f"{escape(readable(name))} cannot be made: {error.strerror}",
            hint="name a folder in one that is there and that you may write to",
            code="bundle.output",
        ) from None
    raise UsageError(
        f"{TRIES} incomplete exports lie beside {escape(readable(name))}",
        hint="take them away",
        code="bundle.exists",
    )
