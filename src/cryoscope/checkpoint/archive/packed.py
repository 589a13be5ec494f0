"""A folder as the tar that it would make: its bytes by offset, and nothing is written anywhere."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from typing import BinaryIO

from cryoscope.checkpoint.archive.archive import Archive
from cryoscope.checkpoint.archive.folder import FolderArchive, open_root
from cryoscope.checkpoint.archive.header import padded
from cryoscope.checkpoint.archive.member import Member
from cryoscope.checkpoint.archive.writer import NODES, TarWriter
from cryoscope.errors import ArchiveError


class PackedSource:
    """The tar of an open folder: the same files, owners, modes and times give the same bytes.

    Sockets are left out, as tar does.  It owns the folder.  Reading raises ArchiveError
    `archive.changed` if a file has become shorter since, and what opening it raises.
    """

    def __init__(self, folder: Archive) -> None:
        self.name = folder.name
        self._folder = folder
        plan = _Plan()
        with plan:
            for member in folder.members.values():
                plan.enter(member)
        self._starts, self._parts = plan.starts, plan.parts
        self.size: int = plan.written

    def read_at(self, offset: int, length: int) -> bytes:
        """Bytes from `offset`, fewer than `length` only at the end; from any thread."""
        if offset < 0 or length <= 0 or offset >= self.size:
            return b""
        end = min(self.size, offset + length)
        place = bisect_right(self._starts, offset) - 1
        found = []
        while offset < end:
            start, part = self._starts[place], self._parts[place]
            until = min(end, self._starts[place + 1] if place + 1 < len(self._starts) else self.size)
            found.append(self._read(part, offset - start, until - offset))
            offset, place = until, place + 1
        return found[0] if len(found) == 1 else b"".join(found)

    def fingerprint(self) -> str | None:
        """None: a folder changes without a sign."""
        return None

    def close(self) -> None:
        self._folder.close()

    def _read(self, part: bytes | str, offset: int, length: int) -> bytes:
        if isinstance(part, bytes):
            return part[offset : offset + length]
        data = self._folder.read_at(part, offset, length)
        if len(data) < length:
            raise ArchiveError(
                f"{part} has become shorter",
                hint="is the checkpoint still being written?",
                code="archive.changed",
            )
        return data


def packed(path: str | os.PathLike[str]) -> PackedSource:
    """A folder of a checkpoint as a tar; raises what opening the folder raises."""
    name = os.fspath(path)
    folder = FolderArchive(name, open_root(name))
    if not folder.members:
        folder.close()
        reason = folder.damaged[0].problem if folder.damaged else "is empty"
        raise ArchiveError(f"{name} {reason}", hint="give the folder of a checkpoint", code="archive.empty")
    return PackedSource(folder)


class _Plan(TarWriter):
    """A writer that keeps headers and padding, and of the files only where they belong."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO())
        self.starts: list[int] = []
        self.parts: list[bytes | str] = []

    @property
    def written(self) -> int:
        return self._written

    def enter(self, member: Member) -> None:
        mode, uid, gid, mtime = member.mode, member.uid, member.gid, member.mtime_ns
        if member.type == "directory":
            self.add_directory(member.name, mode=mode, uid=uid, gid=gid, mtime_ns=mtime)
        elif member.type == "symlink":
            self.add_symlink(member.name, member.linkname, mode=mode, uid=uid, gid=gid, mtime_ns=mtime)
        elif member.type in NODES:
            device = (member.devmajor, member.devminor)
            self.add_node(member.name, member.type, device, mode=mode, uid=uid, gid=gid, mtime_ns=mtime)
        elif member.type == "file":
            self.add(member.name, _NOTHING, size=member.size, mode=mode, uid=uid, gid=gid, mtime_ns=mtime)

    def _write(self, data: bytes) -> None:
        if data:
            self._place(data, len(data))

    def _copy(self, name: str, data: BinaryIO, size: int) -> None:
        if size:
            self._place(name, size)
        self._write(bytes(padded(size) - size))

    def _place(self, part: bytes | str, length: int) -> None:
        self.starts.append(self._written)
        self.parts.append(part)
        self._written += length


_NOTHING = io.BytesIO()
