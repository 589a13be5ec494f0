"""The one layer of an image, hashed and compressed while it is written: no byte is read twice.

What is hashed is what is written, block by block, in a thread beside the writing.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable
from typing import Protocol

import msgspec

from cryoscope.images.ports import LAYER, Descriptor, Upload

BLOCK = 1 << 20
AHEAD = 4
"""Blocks that may wait for the hashing: 4 MiB of memory."""


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer that was written: the blob, and the digest of the plain tar in it."""

    descriptor: Descriptor
    diff_id: str


class Packer(Protocol):
    """A compression: `write` takes plain bytes, `finish` writes what is left, `stop` ends its threads."""

    def write(self, block: bytes) -> None: ...

    def finish(self) -> None: ...

    def stop(self) -> None: ...


class Sum:
    """A SHA-256 in a thread of its own, with the count of bytes."""

    def __init__(self) -> None:
        self.size = 0
        self._sum = hashlib.sha256()
        self._blocks: queue.Queue[bytes | None] = queue.Queue(AHEAD)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (block := self._blocks.get()) is not None:
            self._sum.update(block)

    def add(self, block: bytes) -> None:
        """Count a block; it must not change any more."""
        self.size += len(block)
        self._blocks.put(block)

    def stop(self) -> None:
        """End the thread."""
        if self._thread.is_alive():
            self._blocks.put(None)
            self._thread.join()

    def digest(self) -> str:
        """`sha256:HEX` of all that was added."""
        self.stop()
        return "sha256:" + self._sum.hexdigest()


class LayerWriter:
    """Takes a plain tar by `write`, gives a target the blob; a context manager that ends its threads.

    `packing` is a suffix of the media type (`gzip`, `zstd`) and who compresses, made with the function that
    takes what comes out; None for a plain layer.
    """

    def __init__(
        self, upload: Upload, packing: tuple[str, Callable[[Callable[[bytes], None]], Packer]] | None = None
    ) -> None:
        self._upload = upload
        self._room = bytearray()
        self._plain = Sum()
        self._stored = Sum() if packing else self._plain
        self._suffix = f"+{packing[0]}" if packing else ""
        self._packer = packing[1](self._store) if packing else None

    def __enter__(self) -> LayerWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._packer is not None:
            self._packer.stop()
        self._plain.stop()
        self._stored.stop()

    def write(self, data: bytes) -> None:
        """Append to the plain tar; small pieces are gathered first."""
        if not self._room and len(data) >= BLOCK:
            self._take(data)
            return
        self._room += data
        if len(self._room) >= BLOCK:
            self._flush()

    def finish(self) -> Layer:
        """Make it a blob."""
        self._flush()
        if self._packer is not None:
            self._packer.finish()
        digest = self._stored.digest()
        self._upload.commit(digest)
        found = Descriptor(media_type=LAYER + self._suffix, digest=digest, size=self._stored.size)
        return Layer(descriptor=found, diff_id=self._plain.digest())

    def _flush(self) -> None:
        if self._room:
            block, self._room = bytes(self._room), bytearray()
            self._take(block)

    def _take(self, block: bytes) -> None:
        self._plain.add(block)
        if self._packer is None:
            self._upload.write(block)
        else:
            self._packer.write(block)

    def _store(self, block: bytes) -> None:
        self._stored.add(block)
        self._upload.write(block)
