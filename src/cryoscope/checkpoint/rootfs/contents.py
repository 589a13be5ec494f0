"""The bytes of files in the tars of an archive, which are opened once each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive, Member, open_archive
from cryoscope.checkpoint.archive.member import stored
from cryoscope.checkpoint.rootfs.records import FileEntry
from cryoscope.errors import ArchiveError, LimitExceeded, UsageError

BLOCK = 1 << 20

Key = tuple[str | None, bytes]
Read = Callable[[], bytes]
Place = tuple[str | None, int, int | None]


class Contents:
    """Where the bytes of each file are, entered while the files are listed."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._layers: dict[str, Archive] = {}
        self._names: dict[Key, str] = {}
        self._whole: dict[Key, Read] = {}
        self._holes = 0
        self._holey: set[Key] = set()

    def layer(self, member: str) -> Archive:
        """A tar in the archive, opened; raises `CryoscopeError`."""
        if member not in self._layers:
            self._layers[member] = open_archive(self._archive.source(member))
        return self._layers[member]

    def enter(self, entry: FileEntry, name: str) -> None:
        """Note that a file is the member `name` of its tar."""
        self._names[_key(entry)] = name

    def enter_whole(self, entry: FileEntry, read: Read) -> None:
        """Note how a file that is in no tar is read."""
        self._whole[_key(entry)] = read

    def place(self, entry: FileEntry) -> Place | None:
        """Where the bytes of a file lie, the same for all its hard links; None where that is not known."""
        if entry.offset is not None:
            return entry.member, entry.offset, entry.size
        layer, name = self._layers.get(entry.member or ""), self._names.get(_key(entry))
        if layer is None or name is None:
            return None
        member = layer.members[name]
        return entry.member, member.offset, member.size

    def blocks(self, entry: FileEntry, most: int = BLOCK) -> Iterator[bytes]:
        """The bytes of a file in blocks of at most `most` bytes, holes as zeros.

        Raises `CryoscopeError`: `fs.no-contents`, `archive.truncated` where the archive ends before the
        file does, `limit.hole` past `limits.HASHED_HOLES` in the holes of all files that were read.
        """
        if not entry.has_contents:
            raise _nothing(entry)
        whole = self._whole.get(_key(entry))
        if whole is not None:
            data = whole()
            yield from (data[at : at + most] for at in range(0, len(data), most))
        else:
            yield from self._of_member(entry, most)

    def _of_member(self, entry: FileEntry, most: int) -> Iterator[bytes]:
        layer, name = self.layer(entry.member or ""), self._names.get(_key(entry))
        if name is None:
            raise _nothing(entry)
        member = layer.members[name]
        self._afford(entry, member)
        at = 0
        while at < member.size:
            data = layer.read_at(name, at, min(most, member.size - at))
            if not data:
                raise _cut(entry, at)
            yield data
            at += len(data)

    def _afford(self, entry: FileEntry, member: Member) -> None:
        """Count the holes of a file, once: a header can claim exabytes of zeros."""
        key = _key(entry)
        if not member.runs or key in self._holey:
            return
        holes = member.size - stored(member)
        if self._holes + holes > limits.HASHED_HOLES:
            raise LimitExceeded(f"{entry.path} has {member.size} bytes, mostly holes", code="limit.hole")
        self._holes += holes
        self._holey.add(key)


def _key(entry: FileEntry) -> Key:
    return entry.member, entry.raw_path


def _nothing(entry: FileEntry) -> UsageError:
    kind = entry.type or "file"
    return UsageError(
        f"the archive has no contents of {entry.path}: it is a {entry.change} {kind}",
        hint="`cryoscope fs ls` shows what there is",
        code="fs.no-contents",
    )


def _cut(entry: FileEntry, at: int) -> ArchiveError:
    return ArchiveError(
        f"{entry.path} is cut short: {at} of {entry.size} bytes are there",
        hint="take the archive again if the container still runs; what is there can be read in part",
        code="archive.truncated",
    )
