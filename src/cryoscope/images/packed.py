"""An archive of any form as the plain tar that becomes a layer.

The bytes of a tar are taken as they are (unpacked, where they were compressed); what is no tar, a folder of
Docker or CRIU or the merged layers of another image, becomes one by the deterministic writer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol, cast

from cryoscope.checkpoint.archive import Archive, ByteSource, TarWriter
from cryoscope.checkpoint.archive.codec import plain, sniff, unpack
from cryoscope.checkpoint.archive.member import Member
from cryoscope.checkpoint.archive.report import Report
from cryoscope.errors import ArchiveError

BLOCK = 1 << 20
Progress = Callable[[int, int | None], None]


class Taker(Protocol):
    """What takes the tar."""

    def write(self, data: bytes) -> object: ...


class Hashed:
    """A source that is read once from its start to its end, and its SHA-256 beside."""

    def __init__(self, source: ByteSource) -> None:
        self.name, self.size = source.name, source.size
        self._source = source
        self._sum = hashlib.sha256()
        self._done = 0

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes from `offset`; those that were not read before go into the digest."""
        data = self._source.read_at(offset, length)
        new = data[self._done - offset :] if offset <= self._done < offset + len(data) else b""
        self._sum.update(new)
        self._done += len(new)
        return data

    def fingerprint(self) -> str | None:
        """That of the source."""
        return self._source.fingerprint()

    def close(self) -> None:
        """Nothing: whoever opened the source closes it."""

    def digest(self) -> str:
        """SHA-256 in hex of all of it; what nobody asked for is read now."""
        while data := self._source.read_at(self._done, BLOCK):
            self._sum.update(data)
            self._done += len(data)
        return self._sum.hexdigest()


def write_source(source: ByteSource, to: Taker, progress: Progress | None = None) -> str | None:
    """The bytes of a tar, unpacked if they are compressed.

    Returns the SHA-256 of the source where that is another than that of what was written, else None.  Raises
    `ArchiveError` `archive.truncated` or the like for a compressed one that is damaged.
    """
    codec = sniff(source.read_at(0, 16))
    if codec is None:
        for block in plain(source, progress):
            to.write(block)
        return None
    hashed, report = Hashed(source), Report(source.name)
    for block in unpack(hashed, codec, report, progress):
        to.write(block)
    if report.records:
        raise ArchiveError(report.records[0].problem, code=report.records[0].code)
    return hashed.digest()


def write_members(archive: Archive, to: Taker, changed: Changes | None = None) -> None:
    """The members as a new tar, in their order; the same members give the same bytes."""
    changes = changed or Changes()
    with TarWriter(cast(BinaryIO, to)) as tar:
        for member in archive.members.values():
            if member.name in changes.drop:
                continue
            name = changes.rename.get(member.name, member.name)
            _write(archive, member, name, tar, changes.replace.get(member.name))
        for name, data in changes.add.items():
            tar.add(name, data, mode=0o600)


class Changes:
    """What differs from an archive in a tar that is made of it: members left out, replaced, renamed, new."""

    def __init__(self) -> None:
        self.drop: set[str] = set()
        self.replace: dict[str, bytes | BinaryIO] = {}
        self.rename: dict[str, str] = {}
        self.add: dict[str, bytes | BinaryIO] = {}

    def __bool__(self) -> bool:
        return bool(self.drop or self.replace or self.rename or self.add)


def _write(
    archive: Archive, member: Member, name: str, tar: TarWriter, data: bytes | BinaryIO | None
) -> None:
    about: dict[str, Any] = {
        "mode": member.mode & 0o777,
        "uid": member.uid,
        "gid": member.gid,
        "mtime_ns": member.mtime_ns,
    }
    if member.type == "directory":
        tar.add_directory(name, **about)
    elif member.type == "symlink":
        tar.add_symlink(name, member.linkname, **about)
    elif data is not None:
        tar.add(name, data, **about)
    else:
        with archive.open(member.name) as file:
            tar.add(name, cast(BinaryIO, file), size=member.size, **about)
