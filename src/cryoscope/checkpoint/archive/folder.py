"""A folder on disk as an archive: a Docker checkpoint, a bare CRIU dump, an OCI layout.

No symbolic link in it is followed but `parent`, and nothing but regular files is opened: folders
are walked by descriptor, and every component of a path is opened with O_NOFOLLOW.
"""

from __future__ import annotations

import os
import stat
from _thread import allocate_lock
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from cryoscope import limits
from cryoscope.checkpoint.archive.archive import Archive
from cryoscope.checkpoint.archive.member import Member
from cryoscope.checkpoint.archive.parents import LINK
from cryoscope.checkpoint.archive.report import Report
from cryoscope.checkpoint.archive.source import pread
from cryoscope.errors import ArchiveError

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

OPEN_FILES = 64
"""Files of one folder that stay open between reads."""

KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFCHR: "chardev",
    stat.S_IFBLK: "blockdev",
}

Identity = tuple[int, int]
"""Device and inode of a folder."""


class FolderContents:
    """The files of a folder, opened when they are read."""

    def __init__(self, root: int, name: str) -> None:
        self.root = root
        self._name = name
        self._files: dict[str, int] = {}
        self._lock = allocate_lock()

    def read(self, member: Member, offset: int, length: int) -> bytes:
        length = max(0, min(length, member.size - offset))
        descriptor = self._files.get(member.name, -1)
        if descriptor >= 0:
            return pread(descriptor, offset, length, member.name)
        descriptor = self._open(member.name)
        try:
            return pread(descriptor, offset, length, member.name)
        finally:
            self._keep(member.name, descriptor)

    def _open(self, name: str) -> int:
        folder, _, last = name.rpartition("/")
        try:
            descriptor = self._open_in(folder, last)
        except OSError as error:
            raise ArchiveError(f"{name} cannot be opened: {error.strerror}") from error
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        raise ArchiveError(f"{name} is no regular file", code="archive.not-a-file")

    def _open_in(self, folder: str, name: str) -> int:
        here = self.root
        try:
            for part in folder.split("/") if folder else ():
                above, here = here, os.open(part, FOLDER, dir_fd=here)
                if above != self.root:
                    os.close(above)
            return os.open(name, FILE, dir_fd=here)
        finally:
            if here != self.root:
                os.close(here)

    def _keep(self, name: str, descriptor: int) -> None:
        with self._lock:
            if len(self._files) < OPEN_FILES and self.root >= 0 and name not in self._files:
                self._files[name] = descriptor
                return
        os.close(descriptor)

    def close(self) -> None:
        with self._lock:
            descriptors, self._files = [*self._files.values(), self.root], {}
            self.root = -1
        for descriptor in descriptors:
            if descriptor >= 0:
                os.close(descriptor)

    __del__ = close


class FolderArchive(Archive):
    """A folder with its `parent` folders, each opened when it is first asked for.

    `lineage` are the folders that led here, so that a chain that comes back to one of them ends.
    """

    def __init__(self, path: str, root: int, *, lineage: tuple[Identity, ...] = ()) -> None:
        report = Report(path)
        contents = FolderContents(root, path)
        super().__init__(path, "folder", None, contents, report)
        status = os.fstat(root)
        self.seekable = True
        self._root = contents
        self._lineage = (*lineage, (status.st_dev, status.st_ino))
        self._parents: dict[str, FolderArchive | None] = {}
        depth = 0 if lineage else limits.FOLDER_DEPTH
        for member in sorted(_walk(root, depth, report), key=lambda member: member.name):
            self.add(member)
        self.size = sum(member.size for member in self._members.values())

    def parent_of(self, prefix: str) -> tuple[Archive, str] | None:
        """The folder that the link `parent` under `prefix` leads to, anywhere on this disk."""
        if prefix not in self._parents:
            self._parents[prefix] = self._open_parent(prefix)
        parent = self._parents[prefix]
        return None if parent is None else (parent, "")

    def _open_parent(self, prefix: str) -> FolderArchive | None:
        target = self._target(prefix)
        if not target:
            return None
        link = prefix + LINK
        if len(self._lineage) >= limits.PARENTS:
            self._no_parent(link, f"begins a chain of more than {limits.PARENTS} parents", "cycle")
            return None
        try:
            root = self._open_folder(prefix, target)
        except (OSError, ValueError):
            self._no_parent(link, f"leads to {target}, which is no folder that can be read", "missing")
            return None
        status = os.fstat(root)
        if (status.st_dev, status.st_ino) in self._lineage:
            os.close(root)
            self._no_parent(link, "leads back to where it began", "cycle")
            return None
        path = os.path.normpath(os.path.join(self.name, prefix, target))
        return FolderArchive(path, root, lineage=self._lineage)

    def _target(self, prefix: str) -> str:
        """Where the link leads: a symbolic link, or the small file that copying made of it."""
        member = self._members.get(prefix + LINK)
        if member is None or member.type == "symlink":
            return member.linkname if member else ""
        if member.type != "file" or not 0 < member.size <= limits.NAME:
            return ""
        text = self.read(member.name).decode("utf-8", "surrogateescape").rstrip("\n")
        return "" if "\n" in text or "\0" in text else text

    def _open_folder(self, prefix: str, target: str) -> int:
        here = _descend(self._root.root, prefix)
        try:
            return os.open(target, FOLDER & ~os.O_NOFOLLOW, dir_fd=here)
        finally:
            os.close(here)

    def _no_parent(self, link: str, problem: str, kind: str) -> None:
        self._report.add(link, problem, f"criu.parent-{kind}")

    def close(self) -> None:
        """Close the folder and the parents that were opened from it."""
        super().close()
        for parent in self._parents.values():
            if parent is not None:
                parent.close()
        self._parents = {}


def open_root(path: str) -> int:
    """A descriptor of the folder; ArchiveError with the reason if there is none."""
    try:
        return os.open(path, FOLDER & ~os.O_NOFOLLOW)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        code = "archive.not-found" if isinstance(error, FileNotFoundError) else "archive.io"
        hint = "check the path and who may read it"
        raise ArchiveError(f"{path} cannot be opened: {reason}", hint=hint, code=code) from error


def _walk(root: int, depth: int, report: Report) -> Iterator[Member]:
    """Everything in the folder and, down to `depth`, in those in it; at most limits.MEMBERS."""
    folders, count = [("", 0)], 0
    while folders:
        prefix, level = folders.pop()
        try:
            found = list(islice(_list(root, prefix), limits.MEMBERS + 1 - count))
        except OSError as error:
            report.add(prefix.rstrip("/"), f"cannot be listed: {error.strerror}", "archive.io")
            continue
        for member in found:
            if count == limits.MEMBERS:
                report.add("", f"has more than {count} members", "limit.members")
                return
            count += 1
            yield member
            if member.type == "directory" and level < depth:
                folders.append((f"{member.name}/", level + 1))
            elif member.type == "directory" and depth:
                report.add(member.name, f"is deeper than {depth} folders", "limit.folder-depth")


def _list(root: int, prefix: str) -> Iterator[Member]:
    here = _descend(root, prefix)
    try:
        with os.scandir(here) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # it went away meanwhile
                    yield _member(here, prefix, entry)
    finally:
        os.close(here)


def _descend(root: int, prefix: str) -> int:
    here = os.dup(root)
    for part in prefix.split("/")[:-1]:
        above = here
        try:
            here = os.open(part, FOLDER, dir_fd=above)
        finally:
            os.close(above)
    return here


def _member(folder: int, prefix: str, entry: os.DirEntry[str]) -> Member:
    status = entry.stat(follow_symlinks=False)
    kind = KINDS.get(stat.S_IFMT(status.st_mode), "other")
    device = status.st_rdev if kind in ("chardev", "blockdev") else 0
    return Member(
        name=prefix + os.fsencode(entry.name).decode("utf-8", "surrogateescape"),
        type=kind,
        size=status.st_size if kind == "file" else 0,
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        mtime_ns=status.st_mtime_ns,
        linkname=os.readlink(entry.name, dir_fd=folder) if kind == "symlink" else "",
        devmajor=os.major(device),
        devminor=os.minor(device),
    )
