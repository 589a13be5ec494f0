"""A sink that follows the tar that goes through it, header by header, and knows whether it came to its end.

A full disk, a deadline and a second capture leave archives that stop short, with nothing else to tell them
from good ones; a tar ends with two blocks of zeros (POSIX.1-1988).  Bytes of members are not looked at.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from cryoscope.checkpoint.archive.header import BLOCK, ZEROS, number, padded
from cryoscope.engines.host import Host
from cryoscope.engines.port import Sink


class TarWatch:
    """Passes everything on to `sink`; `wrong` says what is wrong with what has gone through so far."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.path = sink.path
        self.size = 0
        self._skip = 0
        self._rest = b""
        self._zeros = 0
        self._broken = ""
        self._lent = False

    def write(self, block: bytes | memoryview) -> None:
        """Append, and follow."""
        self.sink.write(block)
        self.size += len(block)
        if self._zeros < 2 and not self._broken:
            self._follow(memoryview(block))

    def lend(self, host: Host) -> AbstractContextManager[str]:
        """The sink's own: what is written there does not come by here."""
        self._lent = True
        return self.sink.lend(host)

    @property
    def wrong(self) -> str:
        """What is wrong with the archive if this was all; empty if it is whole."""
        if self._lent or self._zeros >= 2:
            return ""
        if self._broken:
            return self._broken
        if self._skip or self._rest:
            return f"it stops in the middle of a member, after {self.size} bytes"
        return f"it has no end, after {self.size} bytes"

    def _follow(self, data: memoryview) -> None:
        at = 0
        while at < len(data) and self._zeros < 2 and not self._broken:
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
            else:
                step = min(BLOCK - len(self._rest), len(data) - at)
                self._rest += bytes(data[at : at + step])
                if len(self._rest) == BLOCK:
                    self._header(self._rest)
                    self._rest = b""
            at += step

    def _header(self, block: bytes) -> None:
        if block == ZEROS:
            self._zeros += 1
            return
        self._zeros = 0
        try:
            size = number(block[124:136])
        except ValueError:
            size = -1
        if size < 0:
            self._broken = f"it is no tar archive at byte {self.size}"
        # Links, devices and folders have no bytes, whatever their size says.
        self._skip = 0 if block[156:157] in b"123456" and block[156:157] else padded(max(size, 0))
