"""Compressions of a layer, told by name: one row each."""

from __future__ import annotations

import os
import zlib
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from cryoscope.checkpoint.archive import Member
from cryoscope.images.layer import Packer

GZIP_LEVEL = 2
"""ISA-L's: an eighth larger than zlib's 6 on memory pages, thirty times as fast."""
GZIP_WINDOW = 31
"""zlib's number for a window of 32 KiB in a gzip member; its header has neither time nor name."""
PIECE = 4 << 20
"""Plain bytes of one gzip member."""

Store = Callable[[bytes], None]


class Gzip:
    """gzip in members of 4 MiB, as many at once as there are processors.

    RFC 1952, 2.2: members follow each other, and whoever unpacks gives their bytes on in one piece.  The same
    bytes come out only of the same library on a like processor: none and zstd are for who compares digests.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._room = bytearray()
        self._threads = os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self._threads)
        self._waiting: deque[Future[bytes]] = deque()
        self._written = False

    def write(self, block: bytes) -> None:
        self._room += block
        if len(self._room) >= PIECE:
            self._begin()

    def finish(self) -> None:
        if self._room or not self._written:
            self._begin()
        while self._waiting:
            self._end()
        self.stop()

    def stop(self) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _begin(self) -> None:
        piece, self._room = bytes(self._room), bytearray()
        self._written = True
        self._waiting.append(self._pool.submit(_member, piece))
        if len(self._waiting) > self._threads:
            self._end()

    def _end(self) -> None:
        self._store(self._waiting.popleft().result())


def _member(piece: bytes) -> bytes:
    from isal import isal_zlib

    machine = isal_zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, GZIP_WINDOW)
    return bytes(machine.compress(piece) + machine.flush())


class Zstd:
    """zstd in independent frames with a seek table: any unpacker reads it, ours anywhere in it."""

    def __init__(self, store: Store, cuts: Iterable[int] = ()) -> None:
        from cryoscope.checkpoint.archive.frames import FrameWriter

        self._frames = FrameWriter(store, cuts=cuts, workers=os.cpu_count() or 1)

    def write(self, block: bytes) -> None:
        self._frames.write(block)

    def finish(self) -> None:
        self._frames.close()

    def stop(self) -> None:
        self._frames.stop()


COMPRESSIONS = ("none", "gzip", "zstd")


def packing(name: str, members: Iterable[Member] = ()) -> tuple[str, Callable[[Store], Packer]] | None:
    """Suffix and maker of a compression for `LayerWriter`; None for `none`.

    `members` are those of the plain tar, so that zstd's frames end where large ones do.
    """
    if name == "zstd":
        from cryoscope.checkpoint.archive.frames import cuts

        return name, partial(Zstd, cuts=cuts(members))
    return (name, Gzip) if name == "gzip" else None
