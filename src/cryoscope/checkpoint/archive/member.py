"""What an archive says about one of its members, and how member names are spelled."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import islice
from operator import itemgetter
from types import MappingProxyType

import msgspec

NO_XATTRS: Mapping[str, bytes] = MappingProxyType({})


class Member(msgspec.Struct, frozen=True, gc=False):
    """One member of an archive, as its header describes it.

    `size` counts the bytes that `read` returns (holes of a sparse file included), `offset` is the
    place of its stored bytes in the decompressed tar, -1 if it has none (folders, images).
    `runs` are the stored parts of a sparse file as (offset in the file, offset in the tar,
    length); empty means that all bytes lie at `offset` in one piece, and a file that is one
    hole has a single run of length 0.  A hard link carries the size and place of its target.
    Times are nanoseconds since the epoch; when a file was read and when its inode was changed are
    only in some PAX headers.  Undecodable bytes of names are surrogate-escaped.
    """

    name: str
    type: str
    size: int = 0
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    uname: str = ""
    gname: str = ""
    mtime_ns: int = 0
    linkname: str = ""
    devmajor: int = 0
    devminor: int = 0
    xattrs: Mapping[str, bytes] = NO_XATTRS
    offset: int = -1
    runs: tuple[tuple[int, int, int], ...] = ()
    atime_ns: int | None = None
    ctime_ns: int | None = None


def normalise(name: str) -> str:
    """A member name without leading `./` and `/`, trailing `/`, empty and `.` parts; `..` stays."""
    fenced = f"/{name}/"
    if "//" not in fenced and "/./" not in fenced:
        return name
    return "/".join(part for part in name.split("/") if part and part != ".")


def resolve(folder: str, target: str) -> str | None:
    """Where a relative link in `folder` leads inside the archive; None if that is outside."""
    if target.startswith("/"):
        return None
    parts = [part for part in folder.split("/") if part]
    for part in normalise(target).split("/"):
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            return None
    return "/".join(part for part in parts if part)


def stored(member: Member) -> int:
    """Bytes that the member takes in the tar: its size without holes."""
    return sum(run[2] for run in member.runs) if member.runs else member.size


def extents(member: Member, offset: int, length: int) -> Iterator[tuple[int, int, int]]:
    """The stored parts of a range of the member: (offset in it, offset in the tar, length)."""
    end = min(offset + length, member.size)
    if not member.runs and offset < end:
        yield offset, member.offset + offset, end - offset
    first = max(0, bisect_right(member.runs, offset, key=itemgetter(0)) - 1)
    for start, place, size in islice(member.runs, first, None):
        if start >= end:
            return
        low, high = max(start, offset), min(start + size, end)
        if low < high:
            yield low, place + low - start, high - low
