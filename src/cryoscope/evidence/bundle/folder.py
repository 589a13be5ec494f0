"""A bundle as it lies on a disk, read as blobs are; everything in it is a stranger's."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import ByteSource, FileSource
from cryoscope.errors import CryoscopeError, UsageError
from cryoscope.evidence.bundle import layout
from cryoscope.evidence.ports import BlobMissing, EvidenceError, Upload
from cryoscope.evidence.records import SignedEntry
from cryoscope.text import escape, readable

LINE = re.compile(r"([0-9a-f]{64})  ([^\n]+)")


class Bundle:
    """A folder that `export` wrote, as the `Blobs` of a verification.

    Raises `UsageError` (`bundle.none`) for another one.
    """

    def __init__(self, folder: str) -> None:
        self.url = folder
        try:
            self.index = msgspec.json.decode(self.read(layout.INDEX), type=layout.Index)
        except (msgspec.MsgspecError, UnicodeError, CryoscopeError):
            raise self._none() from None
        if self.index.format != layout.FORMAT:
            raise self._none()

    def _none(self) -> UsageError:
        return UsageError(
            f"{escape(readable(self.url))} is no bundle that this release knows",
            hint="`cryoscope case export` makes one; an incomplete one is not finished",
            code="bundle.none",
        )

    def size(self, key: str) -> int | None:
        """Bytes of a file, None if there is none of that name."""
        try:
            status = os.lstat(layout.path_in(self.url, key))
        except (OSError, ValueError, CryoscopeError):
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def source(self, key: str) -> ByteSource:
        """The bytes of a file; raises `BlobMissing`."""
        if self.size(key) is None:
            raise BlobMissing(f"{escape(readable(key))} is not in the bundle")
        return FileSource(layout.path_in(self.url, key))

    def read(self, name: str) -> bytes:
        """A file that is not evidence; raises `EvidenceError` if it is too large to be that."""
        source = self.source(name)
        try:
            if source.size is None or source.size > limits.ENVELOPE:
                raise EvidenceError(f"{name} is too large", code="limit.bundle")
            return source.read_at(0, source.size)
        finally:
            source.close()

    def names(self) -> list[str]:
        """All files."""
        found = []
        for place, _, files in os.walk(self.url):
            found += [os.path.relpath(os.path.join(place, name), self.url) for name in files]
        return sorted(found)[: limits.BUNDLE_FILES]

    def sums(self) -> dict[str, str]:
        """Digests by name, as SHA256SUMS has them."""
        found = (
            LINE.findall(self.read(layout.SUMS).decode("utf-8", "replace")) if self.size(layout.SUMS) else []
        )
        return {name: digest for digest, name in found[: limits.BUNDLE_FILES]}

    def log(self) -> list[SignedEntry]:
        """The custody log as far as its lines are some; what is missing of it, `custody.check` tells."""
        bodies = self._lines(layout.ENTRIES)
        lines: dict[int, layout.Line] = {}
        for number, text in enumerate(self._lines(layout.SIGNATURES)):
            with contextlib.suppress(msgspec.MsgspecError, UnicodeError):
                lines[number] = msgspec.json.decode(text, type=layout.Line)
        nothing = layout.Line(number=0, hash="", key_id="", signature="")
        found = [(body, lines.get(number, nothing)) for number, body in enumerate(bodies)]
        return [
            SignedEntry(body=body, hash=line.hash, key_id=line.key_id, signature=line.signature)
            for body, line in found
        ]

    def _lines(self, name: str) -> list[bytes]:
        return self.read(name).splitlines() if self.size(name) else []

    def owner(self, digest: str) -> str | None:
        """Whose bytes a digest is."""
        for piece in self.index.pieces:
            if digest in (piece.sha256, piece.stored.sha256):
                return f"{escape(readable(piece.name))} ({piece.sha256[:12]})"
        return None

    # --- what a bundle does not do, and a verification does not ask for -----------------------
    def upload(self) -> contextlib.AbstractContextManager[Upload]:
        raise _read_only()

    def delete(self, key: str) -> None:
        raise _read_only()

    def keys(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        return ((name, self.size(name) or 0) for name in self.names() if name.startswith(prefix))

    def sweep(self, older: float) -> list[str]:
        raise _read_only()

    def free(self) -> int | None:
        return None


def _read_only() -> EvidenceError:
    return EvidenceError("a bundle is not written to", code="bundle.read-only")
