"""`fs extract`: changed files written into a folder, safe whatever their names and types are.

Contents are all that is taken over: files are private (0600) and cannot be run, links and devices are
not made, hard links become files.  What was left out is in the manifest, with the reason.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.rootfs import FileEntry, FileTree
from cryoscope.checkpoint.rootfs.safe_names import Namer, Parts, in_order
from cryoscope.errors import CryoscopeError, Damaged, UsageError
from cryoscope.text import readable
from cryoscope.workflows.documents import Part, damage, encode
from cryoscope.workflows.examine import Answer, answer
from cryoscope.workflows.sparse import PRIVATE, SparseFile

MANIFEST = "manifest.json"
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

REASONS = {
    "deleted": "it was deleted: the image has it, the archive has not",
    "replaced": "of the old folder nothing is left",
    "symlink": "a symbolic link is not made: it could lead anywhere",
    "fifo": "a fifo is not made",
    "socket": "a socket is not made",
    "chardev": "a device is not made",
    "blockdev": "a device is not made",
}


class WrittenFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file that was written as `file` (below the folder); `complete` is false where its end is missing.

    Mode, owner and time are those that it had in the container.
    """

    file: str
    path: str
    change: str
    origin: str
    size: int
    sha256: str
    path_base64: str | None = None
    mode: str | None = None
    uid: int | None = None
    gid: int | None = None
    mtime_ns: int | None = None
    complete: bool = True


class LeftOut(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A path of which nothing was written, and why; `link` is where a link leads."""

    path: str
    change: str
    origin: str
    reason: str
    path_base64: str | None = None
    type: str | None = None
    link: str | None = None


class FsExtractPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """What `fs extract` wrote below `folder`, and what not; the manifest is this document."""

    folder: str
    files: list[WrittenFile]
    left_out: list[LeftOut] = []

    def rows(self) -> list[Any]:
        return [*self.files, *self.left_out]


class OutFolder:
    """A folder that only gets new files, none of them outside of it; raises `UsageError` for a full one.

    Every folder in a path is opened by descriptor with O_NOFOLLOW.  With `force` files and links that are
    there are replaced; a link in the place of a folder is an error.
    """

    def __init__(self, path: str, *, force: bool) -> None:
        self.path = path
        self._force = force
        try:
            os.makedirs(path, mode=0o700, exist_ok=True)
            self._root = os.open(path, FOLDER)
        except OSError as error:
            raise UsageError(
                f"{path} cannot be written to: {error.strerror}",
                hint="name a folder, not a link to one",
                code="write.folder",
            ) from None
        if os.listdir(self._root) and not force:
            os.close(self._root)
            raise UsageError(
                f"{path} is not empty", hint="name a new folder, or give --force", code="write.exists"
            )

    def __enter__(self) -> OutFolder:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._root)

    def folder(self, parts: Parts) -> int:
        """A descriptor of a folder below this one, made if it is not there."""
        here = os.dup(self._root)
        for part in parts:
            above = here
            try:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o700, dir_fd=above)
                here = os.open(part, FOLDER, dir_fd=above)
            finally:
                os.close(above)
        return here

    def create(self, parts: Parts) -> int:
        """A descriptor of a new file."""
        above = self.folder(parts[:-1])
        try:
            if self._force:
                with suppress(FileNotFoundError):
                    os.unlink(parts[-1], dir_fd=above)
            return os.open(parts[-1], NEW, PRIVATE, dir_fd=above)
        finally:
            os.close(above)


def extract_files(
    target: str,
    checkpoint: Checkpoint,
    entries: Sequence[FileEntry],
    folder: OutFolder,
    damaged: list[Damaged],
) -> Answer:
    """Write the files among the entries, then the manifest."""
    work = _Extraction(checkpoint.filesystem, folder, damaged)
    try:
        for entry in in_order(entries):
            work.take(entry)
    except OSError as error:
        raise CryoscopeError(
            f"cannot write below {readable(folder.path)}: {error.strerror}",
            hint="files that were written are there, without a manifest",
            code="write.failed",
        ) from None
    part = FsExtractPart(
        archive=readable(target),
        folder=readable(folder.path),
        files=sorted(work.files, key=lambda file: file.file),
        left_out=sorted(work.left_out, key=lambda left: left.path),
    )
    spoiled = damage(target, list(dict.fromkeys([*checkpoint.damaged, *damaged])))
    found = answer("fs-extract", [part], spoiled, [])
    with os.fdopen(folder.create((MANIFEST,)), "wb") as file:
        file.write(encode(found.document) + b"\n")
    return found


class _Extraction:
    def __init__(self, tree: FileTree, folder: OutFolder, damaged: list[Damaged]) -> None:
        self.files: list[WrittenFile] = []
        self.left_out: list[LeftOut] = []
        self._tree = tree
        self._folder = folder
        self._damaged = damaged
        self._names = Namer()
        self._copied = 0

    def take(self, entry: FileEntry) -> None:
        """Write one file or make one folder, or note why not."""
        reason = self._reason(entry)
        if entry.type == "directory" and entry.change != "deleted":
            self._make(entry)
        elif reason is not None:
            self._leave(entry, reason)
        else:
            self.files.append(self._write(entry))

    def _reason(self, entry: FileEntry) -> str | None:
        if entry.type is None or not entry.has_contents:
            return REASONS.get(entry.type or entry.change, "the archive has no contents of it")
        if entry.type == "hardlink":
            self._copied += entry.size or 0
            if self._copied > limits.EXTRACT_COPIES:
                return f"hard links of more than {limits.EXTRACT_COPIES} bytes are not written out"
        return None

    def _leave(self, entry: FileEntry, reason: str) -> None:
        self.left_out.append(
            LeftOut(
                path=entry.path,
                path_base64=entry.path_base64,
                change=entry.change,
                origin=entry.origin,
                type=entry.type,
                link=entry.link,
                reason=reason,
            )
        )

    def _make(self, entry: FileEntry) -> None:
        parts = self._names.folder(entry)
        if parts is None:
            self._leave(entry, "its path is too long, or a file is in its place")
        else:
            os.close(self._folder.folder(parts))

    def _write(self, entry: FileEntry) -> WrittenFile:
        parts = self._names.file(entry)
        digest, size, complete = hashlib.sha256(), 0, True
        descriptor = self._folder.create(parts)
        with SparseFile(descriptor) as file:
            for block in self._blocks(entry):
                if block is None:
                    complete = False
                    break
                digest.update(block)
                file.write(size, block)
                size += len(block)
            file.resize(size)
            with suppress(OSError, OverflowError):
                os.utime(descriptor, ns=(entry.mtime_ns or 0, entry.mtime_ns or 0))
        return WrittenFile(
            file="/".join(parts),
            path=entry.path,
            path_base64=entry.path_base64,
            change=entry.change,
            origin=entry.origin,
            size=size,
            sha256=digest.hexdigest(),
            mode=entry.mode,
            uid=entry.uid,
            gid=entry.gid,
            mtime_ns=entry.mtime_ns,
            complete=complete,
        )

    def _blocks(self, entry: FileEntry) -> Iterator[bytes | None]:
        """The blocks of a file; None where it cannot be read any further, which is then named."""
        try:
            yield from self._tree.blocks(entry)
        except CryoscopeError as error:
            self._damaged.append(Damaged(f"{entry.member}: {entry.path}", error.message, error.code))
            yield None
