"""Compression of an archive on its way: the API writes none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Protocol

from cryoscope.errors import UsageError
from cryoscope.text import escape

LEVEL = 1
"""The fastest of either: memory is written once, often in haste."""


class Packer(Protocol):
    def compress(self, data: bytes | memoryview, /) -> bytes | memoryview: ...
    def flush(self) -> bytes: ...


class Plain:
    """No compression."""

    def compress(self, data: bytes | memoryview, /) -> bytes | memoryview:
        return data

    def flush(self) -> bytes:
        return b""


def packer(name: str) -> Packer:
    """A compressor by the name of the option; raises `UsageError` for another one."""
    if name not in PACKERS:
        raise UsageError(
            f"there is no compression {escape(name)[:50]}",
            hint=f"one of {', '.join(PACKERS)}",
            code="podman.compression",
        )
    return PACKERS[name]()


def _gzip() -> Any:
    from isal import isal_zlib

    return isal_zlib.compressobj(LEVEL, wbits=31)


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd.ZstdCompressor(level=LEVEL)


PACKERS: dict[str, Callable[[], Packer]] = {"none": Plain, "gzip": _gzip, "zstd": _zstd}
