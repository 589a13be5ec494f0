"""Ghost files: deleted while open, so CRIU put their contents into the checkpoint.

Defined in CRIU's images/ghost-file.proto and criu/files-reg.c: remap-fpath.img leads from the
open file to ghost-file-<id in hexadecimal>.img, whose payload is the contents or chunks of them.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.criu.imageset import ImageSet
from cryoscope.checkpoint.rootfs.entries import DEVICES, KINDS
from cryoscope.checkpoint.rootfs.records import FileEntry, OpenIn
from cryoscope.errors import LimitExceeded
from cryoscope.text import readable, with_bytes

GHOST = 1  # REMAP_GHOST


class GhostFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """One deleted file that was still open; `size` in bytes, `member` where its contents are."""

    path: str
    member: str
    file_id: int
    mode: str
    uid: int
    gid: int
    size: int
    path_base64: str | None = None
    target: str | None = None


def ghosts_of(images: ImageSet, path_of: dict[int, bytes]) -> list[GhostFile]:
    """The ghost files of a checkpoint; `path_of` gives the path of an open file by its id."""
    found = []
    for remap in images.messages("remap-fpath.img"):
        name = f"ghost-file-{remap.remap_id:x}.img"
        if remap.remap_type == GHOST:
            found += [_ghost(images, name, remap.orig_id, path_of)]
    return [ghost for ghost in found if ghost is not None]


def nameless(images: ImageSet, named: Iterable[GhostFile]) -> list[GhostFile]:
    """Ghost files that no open file leads to, as where an archive is cut short."""
    known = {ghost.member for ghost in named}
    found = []
    for name, _ in images.matching("ghost-file-*"):
        if images.member(name) not in known:
            ghost = _ghost(images, name, -1, {-1: f"/({name.removesuffix('.img')})".encode()})
            found += [ghost] if ghost is not None else []
    return found


def _ghost(images: ImageSet, name: str, file_id: int, path_of: dict[int, bytes]) -> GhostFile | None:
    entry = images.first(name)
    if entry is None:
        return None
    return GhostFile(
        member=images.member(name) or name,
        file_id=file_id,
        mode=stat.filemode(entry.mode),
        uid=entry.uid,
        gid=entry.gid,
        size=entry.size if entry.HasField("size") else len(images.entries(name)[0].extra or b""),
        target=readable(entry.symlnk_target) or None,
        **with_bytes("path", path_of.get(file_id, b"?")),
    )


def entry_of_ghost(images: ImageSet, ghost: GhostFile, users: list[OpenIn]) -> FileEntry:
    """A ghost among the other files; its bytes have an offset where they lie in one piece."""
    name = ghost.member.rpartition("/")[2]
    head = images.entries(name)[0]
    kind = KINDS.get(stat.S_IFMT(head.message.mode), "file")
    there = images.size(name) - len(head.extra) if isinstance(head.extra, bytes) else None
    return FileEntry(
        path=ghost.path,
        path_base64=ghost.path_base64,
        change="held",
        origin="ghost",
        type=kind,
        mode=ghost.mode,
        size=ghost.size if kind == "file" else None,
        uid=ghost.uid,
        gid=ghost.gid,
        mtime_ns=time_of(head.message, "mtim"),
        link=ghost.target,
        device=device_number(head.message.rdev) if kind in DEVICES else None,
        member=ghost.member,
        offset=there if kind == "file" else None,
        open_in=users,
    )


def device_number(number: int) -> str:
    """Major and minor number of a device as the kernel keeps them (include/linux/kdev_t.h): `8:1`."""
    return f"{number >> 20}:{number & 0xFFFFF}"


def time_of(entry: Any, field: str) -> int | None:
    """A time of a ghost file's image (`mtim`, `atim`) in Unix nanoseconds, exact to the microsecond.

    The seconds are signed in the kernel and not in the image.
    """
    if not entry.HasField(field):
        return None
    time = getattr(entry, field)
    seconds = time.tv_sec - (1 << 64) if time.tv_sec >> 63 else time.tv_sec
    return int(seconds * 1_000_000 + time.tv_usec) * 1000


def contents(images: ImageSet, name: str) -> bytes:
    """The bytes of a ghost file, holes between its chunks and behind them as zeros.

    Raises `LimitExceeded` for a file larger than `limits.EXTRA`: chunks may claim any offset.
    """
    entries = images.entries(name)
    if not entries or isinstance(entries[0].extra, bytes):
        return entries[0].extra if entries else b""
    chunks = [(chunk.message.off, _payload(chunk.extra)) for chunk in entries[1:]]
    size = max([entries[0].message.size, *(at + len(data) for at, data in chunks)])
    if size > limits.EXTRA:
        raise LimitExceeded(f"{name} claims {size} bytes", code="limit.ghost")
    whole = bytearray(size)
    for at, data in chunks:
        whole[at : at + len(data)] = data
    return bytes(whole)


def _payload(extra: Any) -> bytes:
    return extra if isinstance(extra, bytes) else b""
