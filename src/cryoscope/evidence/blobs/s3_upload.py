"""One upload to S3: a thread of its own sends parts while the next ones come.

A marker in `incoming/` is renewed while the process lives, so that `sweep` can tell an upload that goes on
from one that was killed.
"""

from __future__ import annotations

import contextlib
import queue
import secrets
import threading
from collections.abc import Callable, Iterator

from cryoscope.errors import CryoscopeError, Incomplete
from cryoscope.evidence.blobs.keys import INCOMING, checked
from cryoscope.evidence.blobs.s3_client import Bucket
from cryoscope.evidence.ports import EvidenceError
from cryoscope.limits import BLOB_PART, BLOB_PARTS, MIB

LEASE = 900.0
"""Seconds after which a silent upload counts as dead; it gives a sign ten times in that."""
BLOCK = 1 * MIB
AHEAD = 16
"""Blocks that wait for the network: 16 MiB of memory."""
LOOK = 0.2
"""Seconds between two looks whether the sending thread still lives."""

Claim = Callable[[str, str, int], None]
"""Make an object the blob of a key: key, name of the object, size; raises `BlobExists`."""


class Abandoned(Exception):
    """What ends the stream of an upload that is not to be."""


class S3Upload:
    """Up to one part is kept in memory and sent at the commit; more is streamed in parts."""

    def __init__(self, bucket: Bucket, lease: float, claim: Claim) -> None:
        self._bucket, self._lease, self._claim = bucket, lease, claim
        self._name = secrets.token_hex(16)
        self._small = bytearray()
        self._size = 0
        self._stream: _Stream | None = None
        self._sign: _Sign | None = None
        self._done = False

    def write(self, block: bytes | memoryview) -> None:
        """Append; raises `EvidenceError` where the server does not take it."""
        view = memoryview(block).cast("B")
        self._size += len(view)
        if self._size > BLOB_PART * BLOB_PARTS:
            raise EvidenceError(
                f"{self._bucket.address} takes {BLOB_PART * BLOB_PARTS >> 30} GiB at most",
                hint="keep this one in a folder",
                code="evidence.s3-too-large",
            )
        if self._stream is None and self._size <= BLOB_PART:
            self._small += view
            return
        self._streaming().write(view)

    def _streaming(self) -> _Stream:
        if self._stream is None:
            self._sign = _Sign(lambda: self._mark(""), self._lease / 10)
            self._stream = _Stream(self._bucket, self._data)
            self._stream.write(memoryview(bytes(self._small)))
            self._small.clear()
        return self._stream

    def commit(self, key: str) -> None:
        """Send the rest, then make it the blob of `key`; raises `BlobExists`."""
        checked(key)
        if self._stream is not None:
            self._stream.finish()
            self._whole()
        self._silent()
        self._mark(key)
        if self._stream is None:
            self._bucket.put(self._data, bytes(self._small))
        self._claim(key, self._name, self._size)
        self._done = True
        if self._bucket.size(self._data) != self._size:
            self._swept(key)
        with contextlib.suppress(CryoscopeError):  # it is kept: `sweep` takes the marker
            self._bucket.delete(self._marker)

    def _whole(self) -> None:
        found = self._bucket.size(self._data)
        if found != self._size:
            raise Incomplete(
                f"{self._bucket.name(self._data)} has {found} of {self._size} bytes", code="evidence.s3-cut"
            )

    def _swept(self, key: str) -> None:
        """This process stood still for so long that another one took its bytes away."""
        self._bucket.delete(f"blobs/{key}")
        raise Incomplete(
            "the upload stood still for so long that it was taken for dead",
            hint="do it again",
            code="evidence.s3-swept",
        )

    def close(self) -> None:
        """Without a commit, take back what was sent; what the network keeps from going, `sweep` takes."""
        with contextlib.suppress(CryoscopeError):
            self._silent()
        if self._done:
            return
        sent = self._stream is not None
        if self._stream is not None:
            self._stream.abandon()
        with contextlib.suppress(CryoscopeError):
            if sent or self._size:
                self._bucket.delete(self._data)
                self._bucket.delete(self._marker)

    def _silent(self) -> None:
        sign, self._sign = self._sign, None
        if sign is not None:
            sign.stop()

    def _mark(self, key: str) -> None:
        self._bucket.put(self._marker, key.encode())

    @property
    def _data(self) -> str:
        return f"data/{self._name}"

    @property
    def _marker(self) -> str:
        return f"{INCOMING}/{self._name}"


class _Stream:
    """The thread that sends, and the blocks that wait for it."""

    def __init__(self, bucket: Bucket, path: str) -> None:
        self._bucket, self._path = bucket, path
        self._blocks: queue.Queue[bytes | None] = queue.Queue(AHEAD)
        self._error: BaseException | None = None
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="s3-upload", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._bucket.stream(self._path, self._coming())
        except BaseException as error:  # it belongs to whoever writes
            self._error = error

    def _coming(self) -> Iterator[bytes]:
        while (block := self._blocks.get()) is not None:
            yield block
        if self._abandoned:
            raise Abandoned

    def write(self, view: memoryview) -> None:
        for start in range(0, len(view), BLOCK):
            self._put(bytes(view[start : start + BLOCK]))

    def _put(self, block: bytes | None) -> None:
        while True:
            if not self._thread.is_alive():
                raise self._error or EvidenceError("the upload ended early", code="evidence.s3-cut")
            with contextlib.suppress(queue.Full):
                return self._blocks.put(block, timeout=LOOK)

    def finish(self) -> None:
        """Wait until all is there; raises what sending raised."""
        self._put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def abandon(self) -> None:
        """End the thread, and have what it sent taken back."""
        self._abandoned = True
        with contextlib.suppress(BaseException):
            self._put(None)
        self._thread.join()


class _Sign:
    """Calls `give` at once and then every `period` seconds, in a thread, until it is stopped."""

    def __init__(self, give: Callable[[], None], period: float) -> None:
        give()
        self._give, self._period = give, period
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="s3-upload-lives", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(self._period):
            with contextlib.suppress(CryoscopeError):  # the upload itself says what is wrong
                self._give()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
