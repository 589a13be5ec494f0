"""An archive while it streams by: whether it ends as a tar does, what of it is left out, what is remembered.

Podman copies a finished file to the connection, and ends the answer as if all were well where that copying
fails (podman pkg/api/handlers/utils/handler.go, `WriteResponse`): only the end marker of the tar tells.
"""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope import limits
from cryoscope.checkpoint.archive.header import BLOCK, ZEROS, number, padded, text, valid
from cryoscope.errors import Incomplete
from cryoscope.text import escape

EXTENDING = b"xgLK"
"""Types of headers that belong to the one after them: PAX and GNU's long names."""
VOLUMES = "volumes/"
IMAGES = "checkpoint/"
CONFIG = "config.dump"
STATISTICS = "stats-dump"
CURE = "see journalctl -u podman and the space in Podman's temporary folder, then try again"


class Stream:
    """Walks over the headers of a tar as blocks of any size arrive."""

    def __init__(self, *, without_volumes: bool = False) -> None:
        self.ended = False
        self.left_out: list[str] = []
        self.images: dict[str, int] = {}
        self.began: int | None = None
        self._without_volumes = without_volumes
        self._header = bytearray()
        self._waiting = bytearray()
        self._left = 0
        self._zeros = 0
        self._name = ""
        self._where = "kept"
        self._statistics = bytearray()
        self._statistics_size = 0

    def feed(self, block: bytes) -> Iterator[bytes | memoryview]:
        """What of a block goes on; raises `Incomplete` where no header is in a header's place."""
        view = memoryview(block)
        while len(view):
            if self.ended:
                yield view
                return
            if self._left:
                part, view = view[: self._left], view[self._left :]
                self._left -= len(part)
                yield from self._data(part)
            else:
                room = BLOCK - len(self._header)
                self._header += view[:room]
                view = view[room:]
                if len(self._header) == BLOCK:
                    yield from self._begin(bytes(self._header))
                    self._header.clear()

    def finish(self) -> None:
        """Raises `Incomplete` if the archive has not come to its end."""
        if not self.ended:
            within = f" in {escape(self._name)[:200]}" if self._name else ""
            raise Incomplete(f"Podman's archive ends early{within}", hint=CURE, code="podman.truncated")

    @property
    def statistics(self) -> bytes:
        """The image stats-dump; empty if none went by."""
        return bytes(self._statistics[: self._statistics_size])

    @property
    def stale(self) -> list[str]:
        """Images older than this checkpoint: Podman does not empty its folder between two of them."""
        began = self.began
        return [] if began is None else [name for name, time in self.images.items() if time < began - 1]

    def _data(self, part: memoryview) -> Iterator[bytes | memoryview]:
        if self._where == "waiting":
            self._waiting += part
        elif self._where == "kept":
            if self._name == STATISTICS and len(self._statistics) < BLOCK:
                self._statistics += part
            yield part

    def _begin(self, header: bytes) -> Iterator[bytes]:
        if header == ZEROS:
            self._zeros += 1
            self.ended = self._zeros == 2
            yield header
            return
        self._zeros = 0
        self._name, size = self._read(header)
        self._left = padded(size)
        if header[156] in EXTENDING and size <= limits.PAX_HEADER:
            self._where = "waiting"
            self._waiting += header
        elif self._without_volumes and self._name.startswith(VOLUMES):
            self._where = "left out"
            self._waiting.clear()
            self.left_out.append(self._name)
        else:
            self._where = "kept"
            self._remember(header, size)
            yield bytes(self._waiting) + header
            self._waiting.clear()

    def _read(self, header: bytes) -> tuple[str, int]:
        try:
            if not valid(header):
                raise ValueError
            return text(header[:100]), max(0, number(header[124:136]))
        except ValueError:
            raise Incomplete(
                f"Podman's archive is damaged after {escape(self._name)[:200] or 'its beginning'}",
                hint=CURE,
                code="podman.damaged",
            ) from None

    def _remember(self, header: bytes, size: int) -> None:
        if self._name == STATISTICS:
            self._statistics_size = min(size, BLOCK)
        elif self._name == CONFIG:
            self.began = number(header[136:148])
        elif self._name.startswith(IMAGES) and size and len(self.images) < limits.MEMBERS:
            self.images[self._name] = number(header[136:148])
