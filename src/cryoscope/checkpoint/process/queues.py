"""Data on its way: what was written and not yet read when the container was frozen.

Pipes and fifos: pipes-data.img, fifo-data.img (images/pipe-data.proto).  Unix and packet sockets:
sk-queues.img, by the id of the receiving socket (images/sk-packet.proto).  TCP:
tcp-stream-<inode in hexadecimal>.img, the in-queue then the out-queue (images/tcp-stream.proto).
Terminals: tty-data.img.
"""

from __future__ import annotations

from typing import Any

from cryoscope.checkpoint.criu.extras import TcpQueues
from cryoscope.checkpoint.criu.imageset import ImageSet


class Queues:
    """Queued bytes of a checkpoint, each by the number of its pipe, socket or terminal."""

    def __init__(self, images: ImageSet) -> None:
        self._images = images
        self._pipes: dict[int, bytes] | None = None
        self._sockets: dict[int, list[bytes]] | None = None

    def pipe(self, pipe_id: int) -> bytes:
        """Bytes in the pipe or fifo with this number."""
        if self._pipes is None:
            self._pipes = {}
            for image in ("pipes-data.img", "fifo-data.img"):
                for entry in self._images.entries(image):
                    self._pipes[entry.message.pipe_id] = _payload(entry.extra)
        return self._pipes.get(pipe_id, b"")

    def packets(self, socket_id: int) -> list[bytes]:
        """Messages that wait to be received by the unix or packet socket with this id."""
        if self._sockets is None:
            self._sockets = {}
            for entry in self._images.entries("sk-queues.img"):
                self._sockets.setdefault(entry.message.id_for, []).append(_payload(entry.extra))
        return self._sockets.get(socket_id, [])

    def tcp(self, inode: int) -> tuple[bytes, bytes]:
        """Received but unread, and written but not acknowledged bytes of a TCP connection."""
        for entry in self._images.entries(f"tcp-stream-{inode:x}.img"):
            if isinstance(entry.extra, TcpQueues):
                return entry.extra.inq, entry.extra.outq
        return b"", b""

    def tty(self, tty_id: int) -> bytes:
        """Bytes typed into a terminal and not yet read."""
        found = (entry.data for entry in self._images.messages("tty-data.img") if entry.tty_id == tty_id)
        return b"".join(found)


def _payload(extra: Any) -> bytes:
    return extra if isinstance(extra, bytes) else b""
