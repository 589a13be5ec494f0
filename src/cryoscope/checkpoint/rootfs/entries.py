"""Members of a layer as records of files: names as paths, white-outs as deletions.

White-outs are defined in the OCI image-spec, layer.md ("Whiteouts"): `.wh.NAME` hides NAME of the
layers below, `.wh..wh..opq` all that a folder held there; other names that begin with `.wh..wh.`
belong to the union file system itself.
"""

from __future__ import annotations

import base64
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from cryoscope.checkpoint.archive import Member
from cryoscope.checkpoint.archive.member import normalise
from cryoscope.checkpoint.rootfs.records import FileEntry, OpenIn
from cryoscope.text import readable, with_bytes

WHITEOUT, OPAQUE, OWN = ".wh.", ".wh..wh..opq", ".wh..wh."

FORMATS = {
    "directory": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "fifo": stat.S_IFIFO,
    "chardev": stat.S_IFCHR,
    "blockdev": stat.S_IFBLK,
    "socket": stat.S_IFSOCK,
}
"""The bits of the mode that tell a type; all others are regular files."""

KINDS = {bits: kind for kind, bits in FORMATS.items()} | {stat.S_IFREG: "file"}
LINKS, DEVICES = ("symlink", "hardlink"), ("chardev", "blockdev")
BASE64 = "base64:"


def path_of(below: str, name: str) -> str:
    """The path of a member of a tar whose root is the folder `below`; undecodable bytes as surrogates."""
    return f"{below.rstrip('/')}/{name.strip('/')}"


def entry_of(member: Member, below: str, origin: str, held: str) -> FileEntry:
    """The record of a member of the tar `held`, whose root is the folder `below`."""
    return FileEntry(
        change="written",
        origin=origin,
        type=member.type,
        mode=stat.filemode(member.mode | FORMATS.get(member.type, stat.S_IFREG)),
        size=member.size if member.type in ("file", "hardlink", "other") else None,
        uid=member.uid,
        gid=member.gid,
        uname=readable(member.uname) or None,
        gname=readable(member.gname) or None,
        mtime_ns=member.mtime_ns,
        atime_ns=member.atime_ns,
        ctime_ns=member.ctime_ns,
        link=_link(member, below),
        device=f"{member.devmajor}:{member.devminor}" if member.type in DEVICES else None,
        xattrs=attributes(member.xattrs),
        member=held,
        offset=member.offset if member.offset >= 0 and not member.runs else None,
        **with_bytes("path", path_of(below, member.name)),
    )


def _link(member: Member, below: str) -> str | None:
    if member.type == "hardlink":
        return readable(path_of(below, normalise(member.linkname)))
    return readable(member.linkname) or None if member.type == "symlink" else None


def gone(path: str, change: str = "deleted") -> FileEntry:
    """The record of a path of the image that is no longer there."""
    return FileEntry(change=change, origin="rootfs", **with_bytes("path", path))


def attributes(xattrs: Mapping[str, bytes]) -> dict[str, str]:
    """Extended attributes as text, or in base64 where they are none."""
    return {readable(name): _value(value) for name, value in sorted(xattrs.items())}


def _value(value: bytes) -> str:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if text.isprintable() and text and not text.startswith(BASE64):
        return text
    return BASE64 + base64.b64encode(value).decode("ascii") if value else ""


def layer_entry(member: Member, held: str) -> FileEntry | None:
    """The record of a member of the root file system's layer; None for what says nothing of a file."""
    folder, _, base = member.name.rpartition("/")
    if base == OPAQUE:
        return gone(path_of("", folder), "replaced")
    if base.startswith(OWN) or not member.name:
        return None
    if base.startswith(WHITEOUT):
        return gone(path_of(path_of("", folder), base.removeprefix(WHITEOUT)))
    return entry_of(member, "/", "rootfs", held)


def merged(entries: Iterable[FileEntry]) -> list[FileEntry]:
    """One record a path: what a layer hides of those below and has anew is replaced."""
    found: dict[tuple[str | None, bytes], FileEntry] = {}
    for entry in entries:
        key = (None if entry.origin == "rootfs" else entry.member, entry.raw_path)
        former = found.get(key)
        found[key] = entry if former is None else _both(former, entry)
    return list(found.values())


def _both(one: FileEntry, other: FileEntry) -> FileEntry:
    there = next((entry for entry in (other, one) if entry.type is not None), other)
    hidden = "deleted" in (one.change, other.change) or "replaced" in (one.change, other.change)
    changes: dict[str, Any] = {"change": "replaced"} if hidden and there.type == "directory" else {}
    if there.type is None:
        changes = {"change": one.change if other.change == "deleted" else other.change}
    return msgspec.structs.replace(there, **changes)


def emptied(entries: list[FileEntry]) -> Iterator[FileEntry]:
    """The entries with deleted folders that have new files in them as replaced ones: so Podman lists them."""
    filled = set[bytes]()
    for entry in entries:
        if entry.origin == "rootfs" and entry.type is not None:
            filled.update(_above(entry.raw_path, filled))
    for entry in entries:
        deleted = entry.change == "deleted" and entry.raw_path in filled
        yield msgspec.structs.replace(entry, change="replaced") if deleted else entry


def _above(path: bytes, known: set[bytes]) -> Iterator[bytes]:
    """The folders above a path, up to the first that is known."""
    at = path.rfind(b"/")
    while at > 0 and path[:at] not in known:
        yield path[:at]
        at = path.rfind(b"/", 0, at)


def together(entries: Iterable[FileEntry]) -> Iterator[FileEntry]:
    """The entries with hard links of one file used by whoever uses any of them."""
    listed = list(entries)
    links = {(entry.member, entry.link) for entry in listed if entry.type == "hardlink"}
    users: dict[tuple[str | None, str | None], list[OpenIn]] = {}
    for entry in listed if links else ():
        if (key := _file(entry)) in links:
            users.setdefault(key, []).extend(entry.open_in)
    for entry in listed:
        shared = users.get(_file(entry), entry.open_in) if users else entry.open_in
        yield entry if shared == entry.open_in else msgspec.structs.replace(entry, open_in=shared)


def _file(entry: FileEntry) -> tuple[str | None, str | None]:
    """The member and path by which the hard links of a file are one."""
    return entry.member, entry.link if entry.type == "hardlink" else entry.path
