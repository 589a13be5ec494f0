"""Bytes outside of memory: what waits in pipes, sockets, terminals and queues, and deleted files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.criu.extras import TcpQueues
from cryoscope.checkpoint.process.files import File
from cryoscope.checkpoint.rootfs.ghosts import contents
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.search.hits import Holder
from cryoscope.examine.search.layout import holders_by_file
from cryoscope.text import readable

STREAM = 1  # SOCK_STREAM
SOCKETS = ("INETSK", "UNIXSK", "PACKETSK", "NETLINKSK")


class Buffer(msgspec.Struct, frozen=True):
    """Bytes that belong together, small enough to hold; `number` is that of the pipe, socket or queue."""

    place: str
    member: str
    data: bytes
    number: int | None = None
    holders: list[Holder] = []
    path: str | None = None


class Buffers:
    """The buffers of a checkpoint, by kind of place."""

    def __init__(self, checkpoint: Checkpoint, damaged: list[Damaged]) -> None:
        self.checkpoint = checkpoint
        self.images = checkpoint.images
        self._damaged = damaged

    def of(self, place: str) -> Iterator[Buffer]:
        """All buffers of a place that is not empty."""
        read = {
            "pipe": self._pipes,
            "socket": self._sockets,
            "tty": self._ttys,
            "message": self._messages,
            "ghost": self._ghosts,
            "shared": self._segments,
        }.get(place)
        for buffer in read() if read else ():
            if buffer.data:
                yield buffer

    @cached_property
    def _holders(self) -> dict[int, list[Holder]]:
        return holders_by_file(self.checkpoint)

    def _held(self, files: list[File]) -> list[Holder]:
        found = [holder for file in files for holder in self._holders.get(file.id, ())]
        return sorted(set(found), key=lambda holder: (holder.pid, holder.fd or 0))

    def _files(self, kinds: tuple[str, ...], field: str) -> dict[int, list[File]]:
        found: dict[int, list[File]] = {}
        for file in self.checkpoint.files:
            if file.type in kinds:
                found.setdefault(getattr(file.entry, field), []).append(file)
        return found

    def _buffer(
        self, place: str, image: str, data: Any, number: int | None, files: list[File], path: str = ""
    ) -> Buffer:
        member = self.images.member(image) or image
        raw = data if isinstance(data, bytes) else b""
        return Buffer(place, member, raw, number, self._held(files) if raw else [], path or None)

    def _pipes(self) -> Iterator[Buffer]:
        files = self._files(("PIPE", "FIFO"), "pipe_id")
        for image in ("pipes-data.img", "fifo-data.img"):
            for entry in self.images.entries(image):
                number = entry.message.pipe_id
                yield self._buffer("pipe", image, entry.extra, number, files.get(number, []))

    def _sockets(self) -> Iterator[Buffer]:
        image = "sk-queues.img"
        waiting: dict[int, list[bytes]] = {}
        for entry in self.images.entries(image):
            if isinstance(entry.extra, bytes):
                waiting.setdefault(entry.message.id_for, []).append(entry.extra)
        for number, packets in waiting.items():
            file = self.checkpoint.files[number]
            stream = file is not None and getattr(file.entry, "type", 0) == STREAM
            inode = getattr(file.entry, "ino", number) if file is not None else number
            for data in [b"".join(packets)] if stream else packets:
                yield self._buffer("socket", image, data, inode, [file] if file else [])
        yield from self._tcp()

    def _tcp(self) -> Iterator[Buffer]:
        files = self._files(("INETSK",), "ino")
        for image, inode in self.images.matching("tcp-stream-*"):
            for entry in self.images.entries(image):
                if isinstance(entry.extra, TcpQueues):
                    for data in (entry.extra.inq, entry.extra.outq):
                        yield self._buffer("socket", image, data, inode, files.get(inode, []))

    def _ttys(self) -> Iterator[Buffer]:
        files = self._files(("TTY",), "tty_info_id")
        for entry in self.images.messages("tty-data.img"):
            data = bytes(entry.data)
            yield self._buffer("tty", "tty-data.img", data, entry.tty_id, files.get(entry.tty_id, []))

    def _messages(self) -> Iterator[Buffer]:
        for image, _ in self.images.matching("ipcns-msg-*"):
            for entry in self.images.entries(image):
                for message in entry.extra or ():
                    yield self._buffer("message", image, message.data, entry.message.desc.id, [])

    def _segments(self) -> Iterator[Buffer]:
        """System V segments from before they had page maps."""
        for image, _ in self.images.matching("ipcns-shm-*"):
            for entry in self.images.entries(image):
                yield self._buffer("shared", image, entry.extra, entry.message.desc.id, [])

    def _ghosts(self) -> Iterator[Buffer]:
        done = set[str]()
        for ghost in self.checkpoint.ghosts:
            base = ghost.member.rpartition("/")[2]
            if base in done:
                continue
            done.add(base)
            file = self.checkpoint.files[ghost.file_id]
            try:
                data = contents(self.images, base)
            except CryoscopeError as error:
                self._damaged.append(Damaged(ghost.member, error.message, error.code))
                continue
            yield self._buffer("ghost", base, data, None, [file] if file else [], readable(ghost.path))


def offset_in(checkpoint: Checkpoint, buffer: Buffer, at: int) -> int | None:
    """Where byte `at` of a buffer lies in its member; None where it lies there in parts."""
    try:
        raw = checkpoint.archive.read(buffer.member, partial=True)
    except CryoscopeError:
        return None
    found = raw.find(buffer.data)
    return found + at if found >= 0 else None
