"""The files behind mappings: where their bytes are, and whether they are the ones that were mapped.

CRIU leaves pages out that are as the mapped file has them.  The file may be in the checkpoint (a deleted
one as a ghost, a changed one in the root file system's diff, one of /dev/shm) or in the image's root file
system, if the user has that.  A file of the same name need not be the same file: CRIU noted the build-id
of ELF files and the size of all (images/regfile.proto), and a file that differs in them is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import NamedTuple

from cryoscope.checkpoint.archive import Archive, open_archive
from cryoscope.checkpoint.archive.archive import READABLE
from cryoscope.checkpoint.archive.member import normalise
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.process.files import File
from cryoscope.checkpoint.rootfs import ghosts
from cryoscope.checkpoint.rootfs.tars import DIFF
from cryoscope.errors import CryoscopeError
from cryoscope.examine.coredump.build_id import Read, build_id
from cryoscope.examine.coredump.rooted import RootFolder

SHM_ARCHIVE, SHM = "devshm-checkpoint.tar", b"/dev/shm/"


Place = tuple[int, int, int, str]
"""Where bytes lie, in an order in which reading them goes forward through an archive."""

PAGES = "pages"


class Source(NamedTuple):
    """Bytes of memory: `size` of them in `origin`, a pages image or a file that was the mapped one.

    `checked` says by what that is known, and is `PAGES` for pages images.
    """

    origin: str
    size: int
    read: Read
    checked: str
    place: Place


class Absent(NamedTuple):
    """Why there is no such file: a stable code, and a reason for a person."""

    code: str
    reason: str


class Candidate(NamedTuple):
    """A file of the right name."""

    origin: str
    size: int
    read: Read


NOT_FILES = Absent("unknown-file", "which file was mapped is not in files.img")


class Backing:
    """Finds the files behind the mappings of one checkpoint; `rootfs` is its image's, if there is one."""

    def __init__(self, checkpoint: Checkpoint, rootfs: RootFolder | None = None) -> None:
        self._checkpoint = checkpoint
        self._rootfs = rootfs
        self._found: dict[int, Source | Absent] = {}
        self._last_ghost = ("", b"")

    def of(self, file_id: int, noted: Callable[[], bytes | None] = lambda: None) -> Source | Absent:
        """The file with this id, verified; `noted` gives a build-id from memory where CRIU noted none."""
        if file_id not in self._found:
            file = self._checkpoint.files[file_id]
            self._found[file_id] = (
                NOT_FILES if file is None or file.type != "REG" else self._verified(file, noted)
            )
        return self._found[file_id]

    def in_rootfs(self, file_id: int) -> bool:
        """Whether the file is in the root file system that was given, verified."""
        found = self.of(file_id)
        return self._rootfs is not None and isinstance(found, Source) and found.origin == self._rootfs.path

    def _verified(self, file: File, noted: Callable[[], bytes | None]) -> Source | Absent:
        ghost = self._ghost(file)
        if ghost is not None:
            return _source(ghost, "the file itself")
        wanted = _noted_build_id(file) or noted()
        seen = []
        for candidate in self._candidates(file.name):
            if wanted is None:
                return self._by_size(file, candidate)
            found = build_id(candidate.read)
            if found is not None and found.ljust(-(-len(found) // 4) * 4, b"\0") == wanted:
                return _source(candidate, "build-id")
            seen.append(f"{found.hex() if found else 'none'} in {candidate.origin}")
        if seen and wanted is not None:
            return Absent("build-id", f"the build-id is {wanted.hex()}, but {', '.join(seen)}")
        return Absent("no-file", self._nowhere())

    def _by_size(self, file: File, candidate: Candidate) -> Source | Absent:
        """Of a file without build-id the size must be the same, which is the little that is known."""
        size = file.entry.size if file.entry.HasField("size") else None
        if file.deleted or size is None:
            return Absent("unchecked", "nothing noted tells the mapped file from others of its name")
        mount = self._mounted_over(file)
        if mount is not None and candidate.origin != SHM_ARCHIVE:
            return Absent("unchecked", f"it lay on the mount {mount}, which is not part of the image")
        if size != candidate.size:
            return Absent("size", f"it had {size} bytes, but has {candidate.size} in {candidate.origin}")
        return _source(candidate, "size")

    def _mounted_over(self, file: File) -> str | None:
        """The mount that a file lay on, unless it is the container's root."""
        number = file.entry.mnt_id
        mounts = self._checkpoint.mounts
        found = next((mount.mountpoint for mount in mounts if mount.id == number), None)
        return found if found not in ("/", "./") else None

    def _nowhere(self) -> str:
        return "the file is not in the archive" + (
            f" nor in {self._rootfs.path}" if self._rootfs else ": give its image's root file system"
        )

    # --- where files may be ------------------------------------------------------------------
    def _candidates(self, name: bytes) -> Iterator[Candidate]:
        for archive, origin, inner in ((self._diff, DIFF, name), (self._shm, SHM_ARCHIVE, _below_shm(name))):
            found = _member(archive, origin, inner) if archive is not None and inner else None
            if found is not None:
                yield found
        size = self._rootfs.size(name) if self._rootfs else None
        if self._rootfs is not None and size is not None:
            rootfs = self._rootfs
            yield Candidate(rootfs.path, size, lambda offset, length: rootfs.read_at(name, offset, length))

    @cached_property
    def _diff(self) -> Archive | None:
        return self._nested(DIFF)

    @cached_property
    def _shm(self) -> Archive | None:
        return self._nested(SHM_ARCHIVE)

    def _nested(self, name: str) -> Archive | None:
        archive = self._checkpoint.archive
        if name in archive:
            with suppress(CryoscopeError):  # `Checkpoint.changes` names what is wrong with it
                return open_archive(archive.source(name))
        return None

    def _ghost(self, file: File) -> Candidate | None:
        """The contents of a deleted file, where CRIU saved them."""
        if file.remap != "ghost":
            return None
        found = next((ghost for ghost in self._checkpoint.ghosts if ghost.file_id == file.id), None)
        if found is None:
            return None
        name = found.member.rpartition("/")[2]
        with suppress(CryoscopeError):
            size = len(self._ghost_contents(name))
            return Candidate(found.member, size, lambda at, n: self._ghost_contents(name)[at : at + n])
        return None

    def _ghost_contents(self, name: str) -> bytes:
        """The bytes of a ghost file; those of the last one stay in memory."""
        if self._last_ghost[0] != name:
            self._last_ghost = (name, ghosts.contents(self._checkpoint.images, name))
        return self._last_ghost[1]


def _source(candidate: Candidate, checked: str) -> Source:
    return Source(*candidate, checked, (1, 0, 0, candidate.origin))


def _noted_build_id(file: File) -> bytes | None:
    """The build-id that CRIU noted, as it pads it: to whole words."""
    words = file.entry.build_id
    return b"".join(word.to_bytes(4, "little") for word in words) or None


def _below_shm(name: bytes) -> bytes:
    return name.removeprefix(SHM) if name.startswith(SHM) else b""


def _member(archive: Archive, origin: str, name: bytes) -> Candidate | None:
    key = normalise(name.decode("utf-8", "surrogateescape"))
    member = archive.members.get(key)
    if member is None or member.type not in READABLE:
        return None
    return Candidate(origin, member.size, lambda at, length: archive.read_at(key, at, length))
