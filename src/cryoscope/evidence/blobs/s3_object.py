"""One object of S3 as bytes to be read by range."""

from __future__ import annotations

from cryoscope import needs
from cryoscope.errors import ArchiveError
from cryoscope.evidence.blobs.s3_client import Bucket, told


class S3Source:
    """A ByteSource; every read is a request, for the version of the object that was there at first.

    Raises `BlobMissing`, `EvidenceError` (`evidence.s3…`), and `ArchiveError` `archive.changed` where the
    object was replaced since.
    """

    def __init__(self, bucket: Bucket, path: str) -> None:
        self.name = bucket.name(path)
        self._bucket, self._path = bucket, path
        with told(self.name):
            found = bucket.calls.head(bucket.store, path)
        self.size: int = found["size"]
        self._tag: str | None = found["e_tag"]
        self._version: str | None = found["version"]

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes from `offset`, fewer than `length` only at the end; may be called from any thread."""
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        options = {"range": (offset, end)} | ({"if_match": self._tag} if self._tag else {})
        changed = needs.module("obstore.exceptions").PreconditionError
        with told(self.name):
            try:
                data = bytes(self._bucket.calls.get(self._bucket.store, self._path, options=options).bytes())
            except changed:
                raise self._changed() from None
        if len(data) != end - offset:
            raise self._changed()
        return data

    def _changed(self) -> ArchiveError:
        return ArchiveError(
            f"{self.name} was replaced while it was read", hint="read it again", code="archive.changed"
        )

    def fingerprint(self) -> str | None:
        """Address, size and tag: the tag changes with the contents."""
        return f"{self.name}-{self.size}-{self._tag}-{self._version}" if self._tag else None

    def close(self) -> None:
        """Nothing is held: connections are the client's."""
