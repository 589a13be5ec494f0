"""The one deterministic tar writer: the same members give the same bytes on any machine.

ustar (POSIX.1-1988) where a member fits it, else a PAX extended header (POSIX.1-2001) in front.
No clock, user table or file system is consulted.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import BinaryIO, Self

from cryoscope import limits
from cryoscope.checkpoint.archive.header import BLOCK, padded
from cryoscope.checkpoint.archive.member import normalise
from cryoscope.checkpoint.archive.pax import XATTR
from cryoscope.errors import ArchiveError

RECORD = 20 * BLOCK
"""The archive ends in a multiple of this, as tar has always written it."""

RESERVED = 3 * BLOCK
"""Bytes of the header that `reserved_header` gives."""

COPY = 1 << 20
SECOND = 1_000_000_000
FILE, HARDLINK, SYMLINK, FOLDER, EXTENDED = b"0", b"1", b"2", b"5", b"x"
NODES = {"chardev": b"3", "blockdev": b"4", "fifo": b"6"}
ROOT = "."
"""The name of a folder that is the root of the tree."""


class TarWriter:
    """Writes a tar to a binary file object; a context manager that ends the archive.

    Leaving it by an exception leaves the archive without its end marker, so that half an archive
    is never taken for a whole one.  The file object is not closed.
    """

    def __init__(self, fileobj: BinaryIO) -> None:
        self._file = fileobj
        self._written = 0
        self._closed = False

    def add(
        self,
        name: str,
        data: bytes | BinaryIO,
        *,
        size: int | None = None,
        mode: int = 0o644,
        uid: int = 0,
        gid: int = 0,
        mtime_ns: int = 0,
        xattrs: Mapping[str, bytes] | None = None,
    ) -> None:
        """Write a file; `size` bytes of a file object, or all that are left if it can seek.

        Raises ArchiveError `archive.changed` if there are fewer bytes than that.
        """
        if isinstance(data, (bytes, bytearray, memoryview)):
            data = io.BytesIO(data)
            size = None
        if size is None:
            here = data.tell()
            size = data.seek(0, io.SEEK_END) - here
            data.seek(here)
        self._header(FILE, name, size, mode, (uid, gid), mtime_ns, xattrs=xattrs)
        self._copy(name, data, size)

    def add_directory(
        self,
        name: str,
        *,
        mode: int = 0o755,
        uid: int = 0,
        gid: int = 0,
        mtime_ns: int = 0,
        xattrs: Mapping[str, bytes] | None = None,
    ) -> None:
        """Write a folder."""
        self._header(FOLDER, name, 0, mode, (uid, gid), mtime_ns, xattrs=xattrs)

    def add_symlink(
        self, name: str, target: str, *, mode: int = 0o777, uid: int = 0, gid: int = 0, mtime_ns: int = 0
    ) -> None:
        """Write a symbolic link to `target`, which is kept as it is."""
        self._header(SYMLINK, name, 0, mode, (uid, gid), mtime_ns, target=target)

    def add_hardlink(
        self, name: str, target: str, *, mode: int = 0o644, uid: int = 0, gid: int = 0, mtime_ns: int = 0
    ) -> None:
        """Write another name of the member `target`."""
        self._header(HARDLINK, name, 0, mode, (uid, gid), mtime_ns, target=target)

    def add_node(
        self,
        name: str,
        kind: str,
        device: tuple[int, int] = (0, 0),
        *,
        mode: int = 0o644,
        uid: int = 0,
        gid: int = 0,
        mtime_ns: int = 0,
        xattrs: Mapping[str, bytes] | None = None,
    ) -> None:
        """Write a fifo or device, by the names of `Member.type`."""
        self._header(NODES[kind], name, 0, mode, (uid, gid), mtime_ns, xattrs=xattrs, device=device)

    def close(self) -> None:
        """End the archive: two blocks of zeros and padding."""
        if not self._closed:
            self._closed = True
            self._write(bytes(2 * BLOCK))
            self._write(bytes(-self._written % RECORD))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._written += len(data)

    def _copy(self, name: str, data: BinaryIO, size: int) -> None:
        missing = size
        while missing:
            piece = data.read(min(COPY, missing))
            if not piece:
                raise ArchiveError(f"{name} ended {missing} bytes early", code="archive.changed")
            self._write(piece)
            missing -= len(piece)
        self._write(bytes(-size % BLOCK))

    def _header(
        self,
        kind: bytes,
        name: str,
        size: int,
        mode: int,
        owner: tuple[int, int],
        mtime_ns: int,
        *,
        target: str = "",
        xattrs: Mapping[str, bytes] | None = None,
        device: tuple[int, int] = (0, 0),
    ) -> None:
        """A header, with an extended one in front for what does not fit into it."""
        path = b"./" if kind == FOLDER and name == ROOT else _path(name) + (b"/" if kind == FOLDER else b"")
        link = _encode(target)
        records: dict[str, bytes] = {}
        place = _split(path)
        if place is None:
            records["path"], place = path, (b"", path[:100])
        if len(link) > 100 or not link.isascii():
            records["linkpath"], link = link, link[:100]
        numbers = _numbers(size, owner, mtime_ns, records)
        for key in sorted(xattrs or ()):
            records[XATTR + key] = (xattrs or {})[key]
        if records:
            self._extended(records)
        self._write(_block(kind, place, mode, numbers, link, device))

    def _extended(self, records: Mapping[str, bytes]) -> None:
        data = b"".join(_record(_encode(key), value) for key, value in records.items())
        self._write(_block(EXTENDED, (b"", b"PaxHeaders/member"), 0o644, (0, 0, len(data), 0), b""))
        self._write(data.ljust(padded(len(data)), b"\0"))


def reserved_header(name: str, size: int) -> bytes:
    """The header of a file in `RESERVED` bytes whatever its size: for who knows that only after writing.

    The size stands in an extended header, where any fits.  Raises `ArchiveError` for a name over 100 bytes.
    """
    path = _path(name)
    place = _split(path)
    if place is None:
        raise ArchiveError(f"{name} is too long a name for this header", code="archive.name")
    record = _record(b"size", b"%d" % size)
    extended = _block(EXTENDED, (b"", b"PaxHeaders/member"), 0o644, (0, 0, len(record), 0), b"")
    short = size if size < 8**11 else 0
    return extended + record.ljust(BLOCK, b"\0") + _block(FILE, place, 0o644, (0, 0, short, 0), b"")


def _encode(text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    if b"\0" in data or len(data) > limits.NAME:
        raise ArchiveError(f"{text[:80]!r} cannot be a name in a tar", code="archive.name")
    return data


def _path(name: str) -> bytes:
    path = _encode(normalise(name))
    if not path:
        raise ArchiveError("a member needs a name", code="archive.name")
    return path


def _split(path: bytes) -> tuple[bytes, bytes] | None:
    """Prefix and name of a ustar header; None if the path does not fit."""
    if not path.isascii():
        return None
    if len(path) <= 100:
        return b"", path
    cut = path.rfind(b"/", 1, 156)
    while cut > 0 and path[cut + 1 :] and len(path) - cut - 1 <= 100:
        return path[:cut], path[cut + 1 :]
    return None


def _numbers(
    size: int, owner: tuple[int, int], mtime_ns: int, records: dict[str, bytes]
) -> tuple[int, int, int, int]:
    """uid, gid, size and time for the header; what does not fit goes to the extended one."""
    seconds, rest = divmod(mtime_ns, SECOND)
    if rest or not 0 <= seconds < 8**11:
        records["mtime"] = _decimal(mtime_ns)
        seconds = min(max(0, seconds), 8**11 - 1)
    fitting = []
    for key, value, room in (("uid", owner[0], 8**7), ("gid", owner[1], 8**7), ("size", size, 8**11)):
        if not 0 <= value < room:
            records[key] = b"%d" % value
            value = 0
        fitting.append(value)
    return fitting[0], fitting[1], fitting[2], seconds


def _decimal(nanoseconds: int) -> bytes:
    seconds, rest = divmod(abs(nanoseconds), SECOND)
    text = f"{'-' if nanoseconds < 0 else ''}{seconds}.{rest:09}".rstrip("0").rstrip(".")
    return text.encode()


def _record(key: bytes, value: bytes) -> bytes:
    """`LENGTH KEY=VALUE\\n`, where the length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %b=%b\n" % (length, key, value)


def _block(
    kind: bytes,
    place: tuple[bytes, bytes],
    mode: int,
    numbers: tuple[int, int, int, int],
    link: bytes,
    device: tuple[int, int] = (0, 0),
) -> bytes:
    """A ustar header block; the numbers are uid, gid, size and time, those of a device major and minor."""
    uid, gid, size, mtime = numbers
    head = b"%b%07o\0%07o\0%07o\0%011o\0%011o\0" % (
        place[1].ljust(100, b"\0"),
        mode & 0o7777,
        uid,
        gid,
        size,
        mtime,
    )
    tail = b"%b%bustar\00000" % (kind, link.ljust(100, b"\0"))
    tail = tail.ljust(173, b"\0") + _device(device) + place[0].ljust(155, b"\0")
    block = (head + b" " * 8 + tail).ljust(BLOCK, b"\0")
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _device(numbers: tuple[int, int]) -> bytes:
    if not all(0 <= number < 8**7 for number in numbers):
        raise ArchiveError(f"a device {numbers[0]}:{numbers[1]} does not fit in a tar", code="archive.device")
    return b"%07o\0%07o\0" % numbers
