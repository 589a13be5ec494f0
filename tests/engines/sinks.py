"""A sink for tests of engines: a file, and the digest of what went in."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from cryoscope.engines.host import Host
from cryoscope.errors import Incomplete


class FileSink:
    """Writes into `path`; what an engine writes itself is copied from a folder on its host."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.digest = hashlib.sha256()
        path.touch(0o600)

    def write(self, block: bytes | memoryview) -> None:
        self.digest.update(block)
        with open(self.path, "ab") as out:
            out.write(block)

    @contextlib.contextmanager
    def lend(self, host: Host) -> Iterator[str]:
        with host.scratch() as folder:
            yield folder + "/archive.tar"
            with open(host.path(folder + "/archive.tar"), "rb") as made:
                while block := made.read(1 << 20):
                    self.write(block)


class FullSink(FileSink):
    """One on a disk that is full after so many bytes."""

    def __init__(self, path: Path, room: int = 20_000) -> None:
        super().__init__(path)
        self.room = room

    def write(self, block: bytes | memoryview) -> None:
        self.room -= len(block)
        if self.room < 0:
            raise Incomplete("No space left on device", hint="make room", code="capture.disk-full")
        super().write(block)
