"""An open archive of any form: named members that can be read where they lie."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, Self

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive.handle import MemberFile
from cryoscope.checkpoint.archive.member import Member, extents, normalise
from cryoscope.checkpoint.archive.nested import MemberSource
from cryoscope.checkpoint.archive.parents import linked_prefix
from cryoscope.checkpoint.archive.report import Report
from cryoscope.errors import ArchiveError, Damaged, MemberMissing, MemberTooLarge

READABLE = ("file", "hardlink", "other")

NAMED = {
    "directory": "a folder",
    "symlink": "a symbolic link",
    "fifo": "a fifo",
    "chardev": "a device",
    "blockdev": "a device",
}


class Contents(Protocol):
    """Where the bytes of members come from."""

    def read(self, member: Member, offset: int, length: int) -> bytes:
        """Bytes of a member, fewer than `length` only where the archive is cut short."""

    def close(self) -> None: ...


class TarContents:
    """Members of a tar: their bytes lie at offsets, holes of sparse files are zeros.

    `fetch` gives bytes of the (unpacked) tar by offset and length, fewer only at its end;
    `closers` are called when the archive is closed; `read_into` fills a buffer, where the source can.
    """

    def __init__(
        self,
        fetch: Callable[[int, int], bytes],
        *closers: Callable[[], None],
        read_into: Callable[[int, memoryview], int] | None = None,
    ) -> None:
        self._fetch = fetch
        self._closers = closers
        self.read_into = read_into

    def read(self, member: Member, offset: int, length: int) -> bytes:
        if member.offset < 0:
            raise _unplaced(member)
        length = max(0, min(length, member.size - offset))
        if not member.runs:
            return self._fetch(member.offset + offset, length) if length else b""
        data = bytearray()
        for start, place, size in extents(member, offset, length):
            data += bytes(start - offset - len(data))
            part = self._fetch(place, size)
            data += part
            if len(part) < size:
                return bytes(data)
        return bytes(data) + bytes(length - len(data))

    def close(self) -> None:
        for close in self._closers:
            close()


def _unplaced(member: Member) -> ArchiveError:
    if member.type == "hardlink":
        return MemberMissing(f"{member.name} is a hard link to {member.linkname}, which is not here")
    return ArchiveError(f"{member.name} cannot be read: its sparse map is broken", code="archive.sparse")


class Archive:
    """A checkpoint archive, or any other, open for reading.

    `name` is what the user called it, `form` one of `tar`, `tar+gzip`, `tar+zstd`, `tar+xz`,
    `tar+bzip2`, `folder`, `oci-layout`, `oci-archive`, `oci-registry`, `size` its bytes as stored
    (None: a pipe).
    `members` are in archive order; of several with one name the last is there, and `damaged`
    says so, as it names everything else that could not be read.  `annotations` are those of an
    OCI index and manifest, else empty.  `ended` is false for a plain tar that lacks one of the two zero
    blocks at its end: everything is there, but whoever wrote it was not done.  `seekable` says that reading
    one byte anywhere costs a read or a frame, not a pass over all that lies before it.

    An archive owns its source: closing it closes that too.
    """

    def __init__(
        self, name: str, form: str, size: int | None, contents: Contents, report: Report, *, nesting: int = 0
    ) -> None:
        self.name = name
        self.form = form
        self.size = size
        self.nesting = nesting
        self.fingerprint: Callable[[], str | None] = lambda: None
        self.annotations: Mapping[str, str] = {}
        self.ended = True
        self.seekable = False
        self._members: dict[str, Member] = {}
        self._contents = contents
        self._report = report
        self._views: dict[str, Archive] = {}

    @property
    def members(self) -> Mapping[str, Member]:
        """Every member by its name, in archive order."""
        return self._members

    @property
    def damaged(self) -> list[Damaged]:
        """What could not be read, so far."""
        return self._report.records

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __repr__(self) -> str:
        return f"<Archive {self.name!r} {self.form} {len(self._members)} members>"

    def names(self, prefix: str = "") -> list[str]:
        """Names that begin with `prefix`, in archive order."""
        return [name for name in self._members if name.startswith(prefix)]

    def add(self, member: Member) -> None:
        """Enter a member into the index: for those who open archives, not for those who read them."""
        if member.type == "hardlink":
            member = self._linked(member)
        former = self._members.pop(member.name, None)
        if former is not None and not former.type == member.type == "directory":
            problem = f"is there more than once: the one at offset {member.offset} counts"
            self._report.add(member.name, problem, "archive.duplicate-member", former.offset)
        self._members[member.name] = member

    def add_all(self, members: Iterable[Member]) -> None:
        """Enter many members."""
        index = self._members
        for member in members:
            if member.name in index or member.type == "hardlink":
                self.add(member)
            else:
                index[member.name] = member

    def enter(self, members: Iterable[Member], damaged: Iterable[Damaged]) -> None:
        """Enter an index that was read before."""
        self._members.update((member.name, member) for member in members)
        self._report.records.extend(damaged)

    def report(self, error: ArchiveError) -> None:
        """Name an error that ended the reading of the index."""
        self._report.add("", error.message, error.code)

    def _linked(self, member: Member) -> Member:
        target = self._members.get(normalise(member.linkname))
        if target is None or target.type not in READABLE:
            return msgspec.structs.replace(member, size=0, offset=-1, runs=())
        return msgspec.structs.replace(member, size=target.size, offset=target.offset, runs=target.runs)

    # --- reading --------------------------------------------------------------------------
    def read(self, name: str, *, limit: int = limits.IMAGE, partial: bool = False) -> bytes:
        """All bytes of a member, at most `limit` of them.

        Raises MemberMissing, MemberTooLarge, ReadOnce, and ArchiveError `archive.not-a-file` for
        folders, links and devices, `archive.truncated` if the archive ends before the member
        does; with `partial` there is no error for that nor for the limit, but what is there.
        """
        member = self._readable(name)
        if member.size > limit and not partial:
            raise MemberTooLarge(
                f"{name} has {member.size} bytes, more than the {limit} that are read at once",
                hint="read it in parts",
            )
        wanted = min(member.size, limit)
        data = self._contents.read(member, 0, wanted)
        if len(data) < wanted and not partial:
            raise ArchiveError(
                f"{name} is cut short: {len(data)} of {member.size} bytes are there",
                hint="take the archive again if the container still runs; what is there can be read in part",
                code="archive.truncated",
            )
        return data

    def read_at(self, name: str, offset: int, length: int) -> bytes:
        """Bytes of a member from `offset`, fewer than `length` only at its end or where it is cut."""
        if offset < 0 or length < 0:
            raise ValueError("negative offset or length")
        return self._contents.read(self._readable(name), offset, length)

    def read_into(self, name: str, offset: int, buffer: memoryview) -> int:
        """Fill a buffer with bytes of a member from `offset`; returns how many, as `read_at` would give."""
        member = self._readable(name)
        fill = getattr(self._contents, "read_into", None)
        if fill is not None and not member.runs and member.offset >= 0:
            return int(fill(member.offset + offset, buffer[: max(0, member.size - offset)]))
        data = self._contents.read(member, offset, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def open(self, name: str) -> io.BufferedReader:
        """A member as a seekable binary file; reading past a cut raises `archive.truncated`."""
        return io.BufferedReader(MemberFile(self, self._readable(name)), 1 << 16)

    def source(self, name: str) -> MemberSource:
        """A member as a ByteSource, so that it can be opened as an archive itself."""
        return MemberSource(self, self._readable(name))

    def _readable(self, name: str) -> Member:
        member = self._members.get(name)
        if member is None:
            raise MemberMissing(f"there is no member {name}")
        if member.type not in READABLE:
            raise ArchiveError(f"{name} is {NAMED[member.type]}", code="archive.not-a-file")
        return member

    # --- parents --------------------------------------------------------------------------
    @property
    def parent(self) -> Archive | None:
        """The pre-dump that the images of this archive build on, as an archive of its own.

        Where parent and child lie in one archive (Podman) it is a view of the same archive.
        """
        for prefix in ("checkpoint/", ""):
            if f"{prefix}parent" in self._members:
                found = self.parent_of(prefix)
                return found[0].view(found[1]) if found else None
        return None

    def parent_of(self, prefix: str) -> tuple[Archive, str] | None:
        """Where the images under `prefix` have their parent: an archive and a prefix in it.

        None if there is no `parent` link; a link that leads nowhere (`criu.parent-missing`) or in
        a circle (`criu.parent-cycle`) is named in `damaged`.
        """
        found = linked_prefix(self._members, prefix, self._report)
        return None if found is None else (self, found)

    def view(self, prefix: str) -> Archive:
        """The members under a prefix as an archive of their own."""
        if not prefix:
            return self
        from cryoscope.checkpoint.archive.view import View

        if prefix not in self._views:
            self._views[prefix] = View(self, prefix)
        return self._views[prefix]

    def close(self) -> None:
        """Close the archive and its source."""
        self._contents.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
