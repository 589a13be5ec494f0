"""The one layer of an image, hashed and compressed while it is written: no byte is read twice.

What is hashed is what is written, block by block, in a thread beside the writing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from cryoscope.hashing import Sum
from cryoscope.images.ports import LAYER, Descriptor, Upload

BLOCK = 1 << 20


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer that was written: the blob, and the digest of the plain tar in it."""

    descriptor: Descriptor
    diff_id: str


class Packer(Protocol):
    """A compression: `write` takes plain bytes, `finish` writes what is left, `stop` ends its threads."""

    def write(self, block: bytes) -> None: ...

    def finish(self) -> None: ...

    def stop(self) -> None: ...


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
        digest = f"sha256:{self._stored.hex()}"
        self._upload.commit(digest)
        found = Descriptor(media_type=LAYER + self._suffix, digest=digest, size=self._stored.size)
        return Layer(descriptor=found, diff_id=f"sha256:{self._plain.hex()}")

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
