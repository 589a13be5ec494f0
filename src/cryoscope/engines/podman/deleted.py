"""An error of libpod on restoring, kept from doing harm.

libpod deletes the files of deleted.files after it has unpacked rootfs-diff.tar, and follows a link that such
a name is (podman pkg/checkpoint/crutils, `CRRemoveDeletedFiles`, `SecureJoin`): a container that had deleted
/bin/nc, a link to busybox, would be restored without busybox, and not start.  So an empty file of each of
these names is put first into rootfs-diff.tar: it replaces the link, and is what is deleted.
"""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterable, Iterator

from cryoscope import limits

END = bytes(2 * tarfile.BLOCKSIZE)


def placeholders(deleted: Iterable[str]) -> bytes:
    """Members of a tar, without its end: an empty file for each of these paths."""
    return b"".join(_member(name) for name in _tops(deleted))


def _tops(deleted: Iterable[str]) -> Iterator[str]:
    """Plain paths without those below another one of them."""
    seen: set[str] = set()
    for name in sorted(filter(None, map(_plain, deleted)))[: limits.FILES]:
        if not any(parent in seen for parent in _parents(name)):
            seen.add(name)
            yield name


def _plain(path: str) -> str | None:
    name = path.strip("/")
    unsafe = not name or "\0" in name or len(name) > limits.NAME or posixpath.normpath(name) != name
    return None if unsafe or name.split("/")[0] == ".." else name


def _parents(name: str) -> Iterator[str]:
    while name := posixpath.dirname(name):
        yield name


def _member(name: str) -> bytes:
    member = tarfile.TarInfo(name)
    member.mode = 0o600
    return member.tobuf(format=tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape")
