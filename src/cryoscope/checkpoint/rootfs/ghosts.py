"""Ghost files: deleted while open, so CRIU put their contents into the checkpoint.

Defined in CRIU's images/ghost-file.proto and criu/files-reg.c: remap-fpath.img leads from the
open file to ghost-file-<id in hexadecimal>.img, whose payload is the contents or chunks of them.
"""

from __future__ import annotations

import stat
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.criu.imageset import ImageSet
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
