"""Added, changed and deleted files: the layer that the container wrote."""

from __future__ import annotations

import stat
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive, Member, open_archive
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.text import readable, with_bytes

DIFF = "rootfs-diff.tar"
DELETED = "deleted.files"
WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """One path of the container that differs from its image.

    `change` is written (added or changed: without the image they look alike), deleted or
    replaced (a directory whose earlier contents are gone).  Times are Unix nanoseconds.
    """

    path: str
    change: str
    path_base64: str | None = None
    type: str | None = None
    mode: str | None = None
    size: int | None = None
    uid: int | None = None
    gid: int | None = None
    mtime_ns: int | None = None
    link: str | None = None


def changes_of(archive: Archive, damaged: list[Damaged]) -> list[Change]:
    """Every change that the archive records, by path."""
    found = _in_layer(archive, damaged) + _deleted(archive, damaged)
    return sorted(found, key=lambda change: change.path)


def _in_layer(archive: Archive, damaged: list[Damaged]) -> list[Change]:
    if DIFF not in archive:
        return []
    try:
        with open_archive(archive.source(DIFF)) as layer:
            damaged.extend(msgspec.structs.replace(d, part=f"{DIFF}: {d.part}") for d in layer.damaged)
            return [_change(member) for member in layer.members.values() if member.name]
    except CryoscopeError as error:
        damaged.append(Damaged(DIFF, error.message, error.code))
        return []


def _change(member: Member) -> Change:
    folder, _, base = member.name.rpartition("/")
    if base == OPAQUE:
        return Change(change="replaced", **_path(folder))
    if base.startswith(WHITEOUT):
        return Change(change="deleted", **_path(f"{folder}/{base.removeprefix(WHITEOUT)}"))
    return Change(
        change="written",
        type=member.type,
        mode=stat.filemode(member.mode | _format(member.type)),
        size=member.size,
        uid=member.uid,
        gid=member.gid,
        mtime_ns=member.mtime_ns,
        link=readable(member.linkname) or None,
        **_path(member.name),
    )


FORMATS = {
    "directory": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "fifo": stat.S_IFIFO,
    "chardev": stat.S_IFCHR,
    "blockdev": stat.S_IFBLK,
}


def _format(kind: str) -> int:
    return FORMATS.get(kind, stat.S_IFREG)


def _path(name: str) -> dict[str, Any]:
    return with_bytes("path", "/" + name.lstrip("/"))


def _deleted(archive: Archive, damaged: list[Damaged]) -> list[Change]:
    if DELETED not in archive:
        return []
    try:
        paths = msgspec.json.decode(archive.read(DELETED, limit=limits.JSON_DOCUMENT), type=list[str])
    except CryoscopeError as error:
        damaged.append(Damaged(DELETED, error.message, error.code))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        damaged.append(Damaged(DELETED, "is not a JSON list of paths", "rootfs.deleted-files"))
    else:
        return [Change(change="deleted", **_path(path)) for path in paths]
    return []
