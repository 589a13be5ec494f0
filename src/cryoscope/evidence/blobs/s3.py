"""Blobs in S3: streamed there in parts, and written once by one conditional request.

    PREFIX/blobs/KEY        a pointer: one line that names the object with the bytes, and their number
    PREFIX/data/HEX         the bytes, under a name that nobody else can have
    PREFIX/incoming/HEX     while an upload goes on; holds the key as soon as that is known

S3 can refuse to replace an object (`If-None-Match: *`) in one request of at most 5 GiB whose key is known
before its bytes; an upload in parts cannot be made conditional by obstore, and its key is only known in the
end.  So the bytes go to a name of their own, and what is made on condition is the pointer: whoever makes it
has the key.  Servers that do not heed the condition are found out before the first pointer is written.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from cryoscope.checkpoint.archive import ByteSource
from cryoscope.checkpoint.archive.readahead import ReadAhead
from cryoscope.evidence.blobs.keys import INCOMING, checked, folder_of
from cryoscope.evidence.blobs.s3_client import open_bucket, split
from cryoscope.evidence.blobs.s3_object import S3Source
from cryoscope.evidence.blobs.s3_upload import LEASE, S3Upload
from cryoscope.evidence.ports import BlobExists, BlobMissing, EvidenceError, Upload
from cryoscope.limits import MIB

POINTER = re.compile(rb"cryoscope-blob/1 data/([0-9a-f]{32}) ([0-9]{1,15})\n")
NAME = re.compile("[0-9a-f]{32}")
AT_ONCE = 16
"""Requests for small objects at once."""
CACHE = 24 * MIB
"""Blocks that are kept of a blob that is being read: several of them are open at once."""
BATCH = 1000
"""Pointers that are read before any of them is given: what a page of a listing holds."""


class S3Blobs:
    """The blobs under `s3://BUCKET/PREFIX`; `lease` is how long (s) a silent upload counts as going on."""

    def __init__(self, url: str, *, endpoint: str = "", region: str = "", lease: float = LEASE) -> None:
        bucket, prefix = split(url)
        self.url = f"s3://{bucket}/{prefix}".rstrip("/")
        self._bucket = open_bucket(bucket, prefix, endpoint=endpoint, region=region)
        self._lease = lease
        self._heeds = False

    @contextlib.contextmanager
    def upload(self) -> Iterator[Upload]:
        """A new blob; left without `commit`, nothing stays."""
        upload = S3Upload(self._bucket, self._lease, self._claim)
        try:
            yield upload
        finally:
            upload.close()

    def source(self, key: str) -> ByteSource:
        """The bytes of a blob, through a cache of blocks; raises `BlobMissing`."""
        found = self._pointer(key)
        if found is None:
            raise BlobMissing(f"the blob {key} is not in {self.url}", hint="verify the case")
        return ReadAhead(S3Source(self._bucket, f"data/{found[0]}"), memory=CACHE)

    def size(self, key: str) -> int | None:
        """Bytes of a blob, None if there is none or only its pointer."""
        found = self._pointer(key)
        return None if found is None else self._bucket.size(f"data/{found[0]}")

    def delete(self, key: str) -> None:
        """Remove a blob, its pointer last, so that a kill in between is made good by doing it again."""
        if found := self._pointer(key):
            self._bucket.delete(f"data/{found[0]}")
            self._bucket.delete(_path(key))

    def keys(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """Keys that start with `prefix`, with sizes as their pointers have them."""
        below = f"blobs/{folder_of(prefix)}".rstrip("/")
        paths = (path.removeprefix("blobs/") for path, _ in self._bucket.list(below))
        wanted = (key for key in paths if key.startswith(prefix))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            while batch := list(islice(wanted, BATCH)):
                for key, found in zip(batch, pool.map(self._pointer, batch), strict=True):
                    if found is not None:  # deleted meanwhile
                        yield key, found[1]

    def sweep(self, older: float) -> list[str]:
        """Take away what uploads left whose process has been silent for `older` seconds, and for a lease."""
        left = list(self._bucket.list(INCOMING))
        if not left:
            return []
        now = self._bucket.now(f"{INCOMING}/{secrets.token_hex(16)}")
        limit = now - datetime.timedelta(seconds=max(older, self._lease))
        return [path.partition("/")[2] for path, time in left if time <= limit and self._take_away(path)]

    def free(self) -> None:
        """Nobody knows."""

    # --- pointers -------------------------------------------------------------------------
    def _pointer(self, key: str) -> tuple[str, int] | None:
        """Which object holds the bytes of a key, and their number."""
        text = self._bucket.get(_path(key))
        if text is None:
            return None
        found = POINTER.fullmatch(text)
        if found is None:
            raise EvidenceError(
                f"the pointer of the blob {key} in {self.url} was altered",
                hint="verify the case: its bytes may still be under data/",
                code="evidence.s3-pointer",
            )
        return found[1].decode(), int(found[2])

    def _claim(self, key: str, name: str, size: int) -> None:
        """Make `data/NAME` the blob of a key, unless it has one; raises `BlobExists`."""
        self._heeded()
        if self._bucket.create(_path(key), b"cryoscope-blob/1 data/%s %d\n" % (name.encode(), size)):
            return
        if self._pointer(key) != (name, size):  # else our own request was answered only the second time
            raise BlobExists(f"the blob {key} is there already")

    def _heeded(self) -> None:
        """Whether the server refuses to replace an object when asked to, once a process."""
        if self._heeds:
            return
        probe = f"{INCOMING}/{secrets.token_hex(16)}"
        self._bucket.put(probe, b"")
        self._heeds = not self._bucket.create(probe, b"")
        self._bucket.delete(probe)
        if not self._heeds:
            raise EvidenceError(
                f"the server of {self.url} replaces objects that it was asked not to replace",
                hint="evidence needs conditional writes (If-None-Match): use a newer server, or a folder",
                code="evidence.s3-conditional",
            )

    def _take_away(self, path: str) -> bool:
        """Remove what an upload left behind, except a blob that got its pointer."""
        name = path.partition("/")[2]
        key = self._bucket.get(path)
        if key is None or not NAME.fullmatch(name):
            return False
        claimed = self._pointer(key.decode("ascii", "replace")) if key else None
        if claimed is None or claimed[0] != name:
            self._bucket.delete(f"data/{name}")
        self._bucket.delete(path)
        return True


def _path(key: str) -> str:
    return "blobs/" + checked(key)


def s3_source(url: str, endpoint: str = "", region: str = "") -> ByteSource:
    """The object at `s3://BUCKET/KEY`; every read is a request: wrap it in a `ReadAhead`."""
    bucket, key = split(url)
    if not key:
        raise BlobMissing(f"{url} is a bucket", hint="name an object in it: s3://BUCKET/KEY")
    return S3Source(open_bucket(bucket, endpoint=endpoint, region=region), key)
