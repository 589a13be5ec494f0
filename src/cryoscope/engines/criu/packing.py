"""The folder of a dump as one plain tar, streamed: what was dumped, CRIU's log, images, files.

The pages come last, so that whoever reads the archive once knows by then what they are.  Each file is taken
away when it has been written: the images are never there twice for longer than one of them takes.  Those of
a tree that was stopped (`keep`) stay until all is written: they are all that is left of it.
"""

from __future__ import annotations

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
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return
        with open(descriptor, "rb", buffering=0) as file:
            found = os.fstat(file.fileno())
            if stat.S_ISREG(found.st_mode):
                member = name.replace("images/", "checkpoint/").removeprefix("work/")
                tar.add(member, cast(BinaryIO, file), size=found.st_size, mode=0o600, mtime_ns=mtime_ns)
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
