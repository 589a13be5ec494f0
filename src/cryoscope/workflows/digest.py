"""SHA-256 of evidence, computed beside whatever else reads it, so that it costs no second pass.

A file is hashed by a thread of its own from the moment it is known: while libraries are imported, while the
archive is searched by other threads, and while what was found is put together.  All read it in order, so what
one has read the others find in the page cache.  Standard input is hashed as it goes by.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import threading
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive, PipeSource, open_archive
from cryoscope.checkpoint.archive.folder import FolderArchive, open_root
from cryoscope.errors import CryoscopeError
from cryoscope.text import readable
from cryoscope.workflows.open import CASE, STANDARD_INPUT, open_at

BLOCK = 1 << 20


class HashedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a folder that is evidence: `size` in bytes."""

    name: str
    size: int
    sha256: str


class Digest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the evidence hashes to: a file in `sha256`, of a folder each of `files`.

    `more` files were not hashed; `problem` says why there is no digest where there is none.
    """

    sha256: str | None = None
    size: int | None = None
    files: list[HashedFile] = []
    more: int = 0
    problem: str | None = None


def begin(target: str) -> Hashing:
    """The digest of what `target` names, in the making; nothing is raised for what cannot be read."""
    if target == STANDARD_INPUT:
        if _is_pipe():
            return _Tee(target)
        target_path = f"/proc/self/fd/{sys.stdin.fileno()}" if sys.stdin else target
        return _File(target, target_path)
    if target.startswith(CASE):
        return _Evidence(target)
    return _Folder(target) if os.path.isdir(target) else _File(target, target)


def _is_pipe() -> bool:
    if sys.stdin is None or sys.stdin.buffer.isatty():
        return False
    return not stat.S_ISREG(os.fstat(sys.stdin.fileno()).st_mode)


class Hashing:
    """A digest in the making, and the archive that is hashed."""

    def __init__(self, target: str) -> None:
        self.target = target

    def open(self, **options: Any) -> Archive:
        """The archive; `options` and errors are those of `open_at`."""
        return open_at(self.target, **options)

    def result(self) -> Digest:
        """Waits for the end of it."""
        raise NotImplementedError

    def stop(self) -> None:
        """Hash no further."""


class _Tee(Hashing):
    """A pipe that is hashed as it is read; what nobody asked for is read at the end."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self._hash = hashlib.sha256()
        self._file: BinaryIO = sys.stdin.buffer
        self._size = 0

    def open(self, **options: Any) -> Archive:
        options = {name: value for name, value in options.items() if name not in ("cache", "access")}
        return open_archive(PipeSource(self, "standard input"), **options)  # type: ignore[arg-type]

    def read(self, length: int = -1) -> bytes:
        """As the pipe's own `read`."""
        data = self._file.read(length)
        self._hash.update(data)
        self._size += len(data)
        return data

    def result(self) -> Digest:
        try:
            while self.read(BLOCK):
                pass
        except (OSError, ValueError) as error:
            return Digest(problem=f"cannot be read to its end: {readable(str(error))}")
        return Digest(sha256=self._hash.hexdigest(), size=self._size)


class _Evidence(Hashing):
    """A piece of a case, hashed when all else is done."""

    def result(self) -> Digest:
        from cryoscope.workflows.case_open import digest_of

        try:
            sha256, size = digest_of(self.target)
        except CryoscopeError as error:
            return Digest(problem=readable(error.message))
        return Digest(sha256=sha256, size=size)


class _File(Hashing):
    """A file, hashed in a thread."""

    def __init__(self, target: str, path: str) -> None:
        super().__init__(target)
        self._path = path
        self._stop = False
        self._found = Digest(problem="was not hashed to its end")
        self._thread = threading.Thread(target=self._work, daemon=True)
        if not os.path.isfile(path):  # to open a fifo would wait for its writer
            return
        if (size := os.path.getsize(path)) > limits.REPORT_HASHED:
            self._found = Digest(size=size, problem=f"is larger than the {limits.REPORT_HASHED} bytes hashed")
        else:
            self._thread.start()

    def stop(self) -> None:
        self._stop = True
        self._wait()

    def result(self) -> Digest:
        self._wait()
        return self._found

    def _wait(self) -> None:
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        digest, size = hashlib.sha256(), 0
        room = memoryview(bytearray(BLOCK))
        try:
            with open(self._path, "rb", buffering=0) as file:
                while not self._stop and (count := file.readinto(room)):
                    digest.update(room[:count])
                    size += count
        except OSError as error:
            self._found = Digest(problem=f"cannot be read: {error.strerror}")
            return
        if not self._stop:
            self._found = Digest(sha256=digest.hexdigest(), size=size)


class _Folder(Hashing):
    """The files of a folder, each hashed when the digest is asked for: links are not followed."""

    def result(self) -> Digest:
        try:
            with FolderArchive(self.target, open_root(self.target)) as folder:
                names = [member.name for member in folder.members.values() if member.type == "file"]
                files = [_hash_member(folder, name) for name in _affordable(folder, names)]
        except CryoscopeError as error:
            return Digest(problem=error.message)
        found = [file for file in files if file is not None]
        return Digest(files=found, size=sum(file.size for file in found), more=len(names) - len(found))


def _affordable(folder: Archive, names: list[str]) -> Iterator[str]:
    """Those of the files that are hashed: in all no more bytes than of one file, which may be sparse."""
    left = limits.REPORT_HASHED
    for name in names[: limits.REPORT_HASHED_FILES]:
        size = folder.members[name].size
        if size <= left:
            left -= size
            yield name


def _hash_member(folder: Archive, name: str) -> HashedFile | None:
    digest, size = hashlib.sha256(), 0
    try:
        while data := folder.read_at(name, size, BLOCK):
            digest.update(data)
            size += len(data)
    except CryoscopeError:
        return None
    return HashedFile(name=readable(name), size=size, sha256=digest.hexdigest())
