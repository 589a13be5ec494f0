"""The index of a compressed archive, remembered so that it need not be decompressed to be listed.

Plain tars and folders are not cached: their index takes a millisecond.  A value is bound to its
key by a digest and every field of it is checked; one that is not exactly right is ignored.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive.archive import Archive
from cryoscope.checkpoint.archive.header import TYPES
from cryoscope.checkpoint.archive.member import NO_XATTRS, Member, normalise
from cryoscope.errors import Damaged

VERSION = b"cryoscope-archive-index-2\n"
DIGEST = 32
KINDS = {*TYPES.values(), "other"}


class IndexCache(Protocol):
    """Where indexes are remembered between runs; given by the caller, never found here."""

    def get(self, key: str) -> bytes | None: ...
    def put(self, key: str, value: bytes) -> None: ...


class StoredMember(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A Member with its texts as bytes: MessagePack text cannot hold names that are not UTF-8."""

    name: bytes
    type: str
    size: int
    mode: int
    uid: int
    gid: int
    uname: bytes
    gname: bytes
    mtime_ns: int
    linkname: bytes
    devmajor: int
    devminor: int
    xattrs: list[tuple[bytes, bytes]]
    offset: int
    runs: tuple[tuple[int, int, int], ...]
    atime_ns: int | None
    ctime_ns: int | None


class StoredDamage(msgspec.Struct, frozen=True, array_like=True):
    part: bytes
    problem: bytes
    code: str
    offset: int | None


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """An index: what kind of archive, how large, its members and what is damaged."""

    form: str
    size: int | None
    members: list[StoredMember]
    damaged: list[StoredDamage]


def dump(archive: Archive, key: str) -> bytes:
    """The value to remember the index of an archive by."""
    members = [_pack(member) for member in archive.members.values()]
    damaged = [
        StoredDamage(_bytes(record.part), _bytes(record.problem), record.code, record.offset)
        for record in archive.damaged
    ]
    payload = msgspec.msgpack.encode(Stored(archive.form, archive.size, members, damaged))
    return VERSION + _digest(key, payload) + payload


def load(
    value: bytes | None, key: str, form: str, size: int | None
) -> tuple[list[Member], list[Damaged]] | None:
    """Members and damage out of a value; None if there is anything wrong with it."""
    start = len(VERSION) + DIGEST
    if not isinstance(value, bytes) or value[: len(VERSION)] != VERSION:
        return None
    payload = value[start:]
    if value[len(VERSION) : start] != _digest(key, payload):
        return None
    try:
        stored = msgspec.msgpack.decode(payload, type=Stored)
        members = [_unpack(member) for member in stored.members]
    except (msgspec.MsgspecError, ValueError):
        return None
    if (stored.form, stored.size) != (form, size) or len(members) > limits.MEMBERS:
        return None
    damaged = [Damaged(_text(one.part), _text(one.problem), one.code, one.offset) for one in stored.damaged]
    return members, damaged[: limits.DAMAGED]


def _digest(key: str, payload: bytes) -> bytes:
    import hashlib

    return hashlib.sha256(_bytes(key) + b"\0" + payload).digest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _pack(member: Member) -> StoredMember:
    return StoredMember(
        _bytes(member.name),
        member.type,
        member.size,
        member.mode,
        member.uid,
        member.gid,
        _bytes(member.uname),
        _bytes(member.gname),
        member.mtime_ns,
        _bytes(member.linkname),
        member.devmajor,
        member.devminor,
        [(_bytes(key), value) for key, value in member.xattrs.items()],
        member.offset,
        member.runs,
        member.atime_ns,
        member.ctime_ns,
    )


def _unpack(one: StoredMember) -> Member:
    """The member; ValueError if it could not have come from an archive."""
    name = _text(one.name)
    known = one.type in KINDS and 0 < len(name) <= limits.NAME and normalise(name) == name
    if not known or one.size < 0 or one.offset < -1 or not _rising(one):
        raise ValueError(name)
    return Member(
        name,
        one.type,
        one.size,
        one.mode,
        one.uid,
        one.gid,
        _text(one.uname),
        _text(one.gname),
        one.mtime_ns,
        _text(one.linkname),
        one.devmajor,
        one.devminor,
        {_text(key): value for key, value in one.xattrs} if one.xattrs else NO_XATTRS,
        one.offset,
        one.runs,
        one.atime_ns,
        one.ctime_ns,
    )


def _rising(one: StoredMember) -> bool:
    """Whether the runs lie in order, inside the file and without overlapping."""
    end, place = 0, max(0, one.offset)
    for start, offset, length in one.runs:
        if length < 0 or start < end or offset < place:
            return False
        end, place = start + length, offset + length
    return end <= one.size
