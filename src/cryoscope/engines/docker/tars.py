"""Files of a container out of the daemon's archive API, as members of a tar of ours.

`GET /containers/ID/archive?path=P` is a tar of P under its last name (moby, daemon/archive_unix.go).  Each
member gets its place in the new tar as its name; everything else (owners, times, attributes, kinds) stays.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

from cryoscope.engines.docker.daemon import Daemon
from cryoscope.errors import CryoscopeError

BLOCK = 512
RECORD = 20 * BLOCK
COPY = 1 << 20
RENAMED = ("path", "linkpath", "size")
"""Fields of extended headers that the new header says itself."""
UNREADABLE = (tarfile.TarError, EOFError, ValueError, OverflowError)


class Pieces(io.RawIOBase):
    """A file to read out of the pieces of an answer."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


Reading = tuple[tarfile.TarInfo, Callable[[tarfile.TarInfo], IO[bytes] | None]]


@contextmanager
def members(daemon: Daemon, id_: str, path: str, patience: float) -> Iterator[Iterator[Reading]]:
    """The members of what lies at `path`, with what opens their contents; raises what the daemon says."""
    with daemon.stream(f"/containers/{id_}/archive", path=path, patience=patience) as pieces:
        stream = io.BufferedReader(Pieces(pieces), COPY)
        with tarfile.open(fileobj=stream, mode="r|", bufsize=RECORD, errorlevel=2) as tar:
            yield ((member, tar.extractfile) for member in tar)


class Writer:
    """Writes members to a tar that grows in a temporary file, which is as large as `size` says."""

    def __init__(self, out: BinaryIO) -> None:
        self.out = out
        self.size = 0
        self.count = 0

    def add(self, member: tarfile.TarInfo, name: str, content: IO[bytes] | None) -> bool:
        """Write one under a new name; returns whether its contents came whole (else zeros fill them)."""
        member.name = name
        member.pax_headers = {key: text for key, text in member.pax_headers.items() if key not in RENAMED}
        self._put(member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
        self.count += 1
        missing = member.size if member.isreg() else 0
        whole = True
        while missing:
            piece = _read(content, min(COPY, missing)) if whole else bytes(min(COPY, missing))
            whole = whole and bool(piece)
            self._put(piece)
            missing -= len(piece)
        if member.isreg():
            self._put(bytes(-member.size % BLOCK))
        return whole

    def end(self) -> None:
        """End the tar, as tar has always done."""
        self._put(bytes(2 * BLOCK))
        self._put(bytes(-self.size % RECORD))
        self.out.flush()

    def _put(self, data: bytes) -> None:
        self.out.write(data)
        self.size += len(data)


def _read(content: IO[bytes] | None, size: int) -> bytes:
    """The next bytes; none where the answer broke off, as it does when a file changes while it is read."""
    try:
        return content.read(size) if content is not None else b""
    except (*UNREADABLE, OSError, CryoscopeError):
        return b""
