"""The cache of member indexes and overviews: a folder of small files, private to its user.

It holds nothing secret: names, sizes and offsets of members, and overviews.  A key names one state
of one file (device, inode, size, times and a digest of head and tail), so an entry can be
missing but never stale.  A folder that cannot be written is no error: nothing is cached then.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

KEEP_ENTRIES = 500
"""Entries kept, newest first: an index is about 10 kB, one of a million members 60 MB."""

KEEP_BYTES = 256 << 20
SEAL = 32
"""Bytes of the digest before each value, which binds it to its key."""

TRIM_EVERY = 16
"""One in so many writes looks whether there is too much."""


def default_folder() -> str:
    """`$XDG_CACHE_HOME/cryoscope`, or ~/.cache/cryoscope."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # as the specification asks: a relative one would lie beside the evidence
        base = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "cryoscope", "indexes")


class FolderCache:
    """An `IndexCache` in a folder of mode 0700, files 0600, each written whole or not at all."""

    def __init__(self, folder: str | None = None) -> None:
        self.folder = folder or default_folder()

    def get(self, key: str) -> bytes | None:
        """The value kept under `key`, or None; a file of somebody else is not believed."""
        try:
            descriptor = os.open(self._path(key), READ)
        except OSError:
            return None
        try:
            if not _own(os.fstat(descriptor)):
                return None
            with open(descriptor, "rb", closefd=False) as file:
                return _unsealed(key, file.read(KEEP_BYTES))
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def put(self, key: str, value: bytes) -> None:
        """Keep `value` under `key`, in place of what was there."""
        if len(value) + SEAL > KEEP_BYTES:
            return
        with contextlib.suppress(OSError):
            os.makedirs(self.folder, mode=0o700, exist_ok=True)
            descriptor, partial = tempfile.mkstemp(dir=self.folder, prefix=".new-")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(_seal(key, value) + value)
                os.replace(partial, self._path(key))
            except BaseException:
                os.unlink(partial)
                raise
            if int.from_bytes(hashlib.sha256(key.encode()).digest()[:2]) % TRIM_EVERY == 0:
                self._trim()

    def clear(self) -> tuple[int, int]:
        """Remove everything; gives how many entries and bytes there were."""
        found = self.entries()
        for path, _, _ in found:
            with contextlib.suppress(OSError):
                os.unlink(path)
        return len(found), sum(size for _, size, _ in found)

    def entries(self) -> list[tuple[str, int, float]]:
        """Path, size in bytes and time of every entry, newest first."""
        try:
            with os.scandir(self.folder) as entries:
                files = [entry for entry in entries if entry.is_file(follow_symlinks=False)]
                found = [(entry.path, entry.stat().st_size, entry.stat().st_mtime) for entry in files]
        except OSError:
            return []
        return sorted(found, key=lambda entry: entry[2], reverse=True)

    def _path(self, key: str) -> str:
        return os.path.join(self.folder, hashlib.sha256(key.encode()).hexdigest()[:40])

    def _trim(self) -> None:
        total = 0
        for index, (path, size, _) in enumerate(self.entries()):
            total += size
            if index >= KEEP_ENTRIES or total > KEEP_BYTES:
                with contextlib.suppress(OSError):
                    os.unlink(path)


def _own(facts: os.stat_result) -> bool:
    """Whether a file can only have been written by this user, and whole."""
    mine = facts.st_uid == os.geteuid() and not facts.st_mode & 0o022
    return mine and stat.S_ISREG(facts.st_mode) and facts.st_size <= KEEP_BYTES


def _seal(key: str, value: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + value).digest()


def _unsealed(key: str, content: bytes) -> bytes | None:
    value = content[SEAL:]
    return value if content[:SEAL] == _seal(key, value) else None
