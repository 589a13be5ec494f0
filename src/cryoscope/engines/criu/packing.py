"""The folder of a dump as one plain tar, streamed: what was dumped, CRIU's log, images, files.

The pages come last, so that whoever reads the archive once knows by then what they are.  What has been
written is taken away at once, piece by piece: a gigabyte of pages needs no second gigabyte of disk, and its
end need not be waited for.  Images of a tree that was stopped (`keep`) stay until all is written: they are
all that is left of it.
"""

from __future__ import annotations

import ctypes
import os
import stat
from typing import Any, BinaryIO, cast

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import TarWriter
from cryoscope.checkpoint.container.bare import CAPTURE
from cryoscope.checkpoint.statistics import statistics_of
from cryoscope.engines.host import Host
from cryoscope.engines.port import Sink
from cryoscope.errors import CryoscopeError

PAGES = "pages-"
PUNCH_HOLE = 1 | 2
"""FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE (linux/falloc.h)."""


class Vanishing:
    """A file whose beginning is given back to the file system as it is read; `read` as of a raw file."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        libc = ctypes.CDLL(None)
        plain = getattr(libc, "fallocate", None)  # musl has no other
        self._fallocate = getattr(libc, "fallocate64", plain)
        self._read = 0

    def read(self, size: int) -> bytes:
        """At most `size` bytes, empty at the end; where the file system cannot give back, they stay."""
        data = os.read(self._descriptor, size)
        if self._fallocate is not None:
            start, length = ctypes.c_int64(self._read), ctypes.c_int64(len(data))
            self._fallocate(self._descriptor, PUNCH_HOLE, start, length)
        self._read += len(data)
        return data


class Packer:
    """Writes what a dump has left in its folder on the host into a sink."""

    def __init__(self, host: Host, folder: str, sink: Sink, *, keep: bool = False) -> None:
        self._host = host
        self._folder = folder
        self._sink = sink
        self._keep = keep

    def pack(self, about: dict[str, Any], mtime_ns: int) -> dict[str, int]:
        """Write the archive and return CRIU's statistics (microseconds, pages)."""
        with TarWriter(cast(BinaryIO, self._sink)) as tar:
            document = msgspec.json.format(msgspec.json.encode(about), indent=2)
            tar.add(CAPTURE, document, mode=0o600, mtime_ns=mtime_ns)
            statistics = self._statistics()
            for name in ("work/dump.log", "work/stats-dump", *self._images(), "rootfs-diff.tar"):
                self._file(tar, name, mtime_ns)
        return statistics

    def _images(self) -> list[str]:
        """Images by name, those of pages behind all others."""
        names = os.listdir(self._host.path(f"{self._folder}/images"))
        return [f"images/{name}" for name in sorted(names, key=lambda name: (name.startswith(PAGES), name))]

    def _file(self, tar: TarWriter, name: str, mtime_ns: int) -> None:
        path = self._host.path(f"{self._folder}/{name}")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:
            return
        with open(descriptor, "r+b", buffering=0) as file:
            found = os.fstat(descriptor)
            if stat.S_ISREG(found.st_mode):
                member = name.replace("images/", "checkpoint/").removeprefix("work/")
                data = cast(BinaryIO, file if self._keep else Vanishing(descriptor))
                tar.add(member, data, size=found.st_size, mode=0o600, mtime_ns=mtime_ns)
        if not self._keep:
            os.unlink(path)

    def _statistics(self) -> dict[str, int]:
        path = self._host.path(f"{self._folder}/work/stats-dump")
        try:
            with open(path, "rb") as file:
                found = statistics_of(file.read(limits.ENTRY), "stats-dump")
        except (OSError, CryoscopeError):
            return {}
        return {name: number for name, number in msgspec.structs.asdict(found).items() if number is not None}
