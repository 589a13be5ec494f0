"""Changed files as the other engine keeps them: a gzip layer with white-outs, or a plain tar and a list.

OCI image-spec 1.1, layer.md (white-outs, opaque white-outs); deleted.files is a JSON list of paths
(checkpointctl, lib/metadata.go).
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterable
from tempfile import TemporaryFile
from typing import Any, BinaryIO, cast

from cryoscope.checkpoint.archive import Archive, Member, TarWriter, open_archive
from cryoscope.checkpoint.archive.image import OPAQUE, WHITEOUT
from cryoscope.checkpoint.archive.member import normalise
from cryoscope.errors import Refused

DIFF, DELETED = "rootfs-diff.tar", "deleted.files"
BLOCK = 1 << 20
LEVEL, GZIP = 6, 31
"""zlib's level, and its number for a gzip member of 32 KiB: without time and name."""


class _Packed:
    """What is written comes out as gzip."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._machine = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)

    def write(self, data: bytes) -> int:
        self._out.write(self._machine.compress(data))
        return len(data)

    def close(self) -> None:
        self._out.write(self._machine.flush())


def layer(archive: Archive, deleted: Iterable[str], stack: contextlib.ExitStack) -> BinaryIO:
    """The plain tar of changed files with white-outs in front of it, as gzip."""
    made = _spool(stack)
    packed = _Packed(made)
    tar = TarWriter(cast(BinaryIO, packed))
    for path in sorted({normalise(path) for path in deleted} - {""}):
        folder, _, last = path.rpartition("/")
        tar.add(f"{folder}/{WHITEOUT}{last}" if folder else WHITEOUT + last, b"", mode=0)
    if DIFF in archive:
        for at in range(0, archive.members[DIFF].size, BLOCK):
            packed.write(archive.read_at(DIFF, at, BLOCK))
    else:
        tar.close()
    packed.close()
    made.seek(0)
    return made


def plain(archive: Archive, stack: contextlib.ExitStack) -> tuple[BinaryIO, list[str]]:
    """A layer as a plain tar without white-outs, and the paths that those removed.

    Raises `Refused` `image.convert-opaque` for a folder that was emptied: a list of paths cannot say that.
    """
    made = _spool(stack)
    deleted: list[str] = []
    with open_archive(archive.source(DIFF)) as diff, TarWriter(made) as tar:
        for name, member in diff.members.items():
            folder, _, last = name.rpartition("/")
            if last == OPAQUE:
                raise _opaque(folder)
            if last.startswith(WHITEOUT):
                deleted.append(f"{folder}/{last[len(WHITEOUT) :]}".lstrip("/"))
            else:
                copy(diff, member, tar)
    made.seek(0)
    return made, [f"/{path}" for path in deleted]


def _spool(stack: contextlib.ExitStack) -> BinaryIO:
    """A file without a name, for as long as the stack is open: changed files may be larger than memory."""
    return cast(BinaryIO, stack.enter_context(TemporaryFile()))


def copy(archive: Archive, member: Member, tar: TarWriter) -> None:
    """A member of any type with all that its header says."""
    about: dict[str, Any] = {
        "mode": member.mode & 0o7777,
        "uid": member.uid,
        "gid": member.gid,
        "mtime_ns": member.mtime_ns,
    }
    if member.type == "symlink":
        tar.add_symlink(member.name, member.linkname, **about)
    elif member.type == "hardlink":
        tar.add_hardlink(member.name, member.linkname, **about)
    elif member.type == "directory":
        tar.add_directory(member.name, xattrs=member.xattrs, **about)
    elif member.type in ("chardev", "blockdev", "fifo"):
        device = (member.devmajor, member.devminor)
        tar.add_node(member.name, member.type, device, xattrs=member.xattrs, **about)
    else:
        with archive.open(member.name) as file:
            tar.add(member.name, cast(BinaryIO, file), size=member.size, xattrs=member.xattrs, **about)


def _opaque(folder: str) -> Refused:
    return Refused(
        f"/{folder} was emptied as a whole, which CRI-O's list of deleted files cannot say",
        hint="restore it with containerd",
        code="image.convert-opaque",
    )
