"""The members of an archive as files again, in a folder on the host that is root's alone.

No name of the archive becomes a path: images must have plain names, and files that go back into a sandbox are
numbered, with the place where they go told apart.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive, Member, open_archive
from cryoscope.engines.host import Host
from cryoscope.engines.port import EngineError
from cryoscope.text import readable

IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}\Z")
DIFF = "rootfs-diff.tar"
BLOCK = 1 << 20
PROTECTED = ("etc", "usr", "bin", "sbin", "boot", "proc", "sys", "opt")
"""Folders of which no file of the archive is put into a sandbox: programs that make it run from there."""
DEVICES = "dev/shm"


class Placed(NamedTuple):
    """A file that goes into the sandbox: its number in the folder, its path there, mode and owner."""

    number: int
    path: str
    mode: int
    uid: int
    gid: int


def images(archive: Archive, prefix: str, host: Host, folder: str) -> int:
    """Write CRIU's images below `prefix` into `folder` of the host; returns how many bytes they have.

    Raises `EngineError` for a member that is no plain file with a plain name.
    """
    total = 0
    for name in archive.names(prefix):
        base = name.removeprefix(prefix)
        member = archive.members[name]
        if member.type == "directory" or (prefix == "" and not base.endswith(".img")):
            continue
        if not IMAGE.match(base) or member.type != "file":
            raise EngineError(
                f"{readable(name)[:200]!r} is no image with a plain name",
                hint="restore the copy that `cryoscope restore` cleans",
                code="criu.image-name",
            )
        total += _write(archive, name, host.path(f"{folder}/{base}"))
    return total


def files(archive: Archive, host: Host, folder: str) -> Iterator[Placed]:
    """Write the files that were open for writing into `folder`, numbered, and tell where they go."""
    if DIFF not in archive:
        return
    with open_archive(archive.source(DIFF)) as tar:
        room = limits.OPEN_FILES
        for number, (name, member) in enumerate(tar.members.items()):
            if number >= limits.OPEN_FILE_COUNT:
                return
            path = place_of(name, member)
            if path is None or member.size > room:
                continue
            room -= _write(tar, name, host.path(f"{folder}/{number}"))
            yield Placed(number, path, member.mode & 0o777, member.uid, member.gid)


def place_of(name: str, member: Member) -> str | None:
    """Where a file of the archive goes in the sandbox; None for one that has no business there."""
    parts = name.split("/")
    if member.type != "file" or any(part in ("", ".", "..") for part in parts) or "\0" in name:
        return None
    top = parts[0]
    if top in PROTECTED or top.startswith("lib") or (top == "dev" and not name.startswith(DEVICES + "/")):
        return None
    return "/" + name


def _write(archive: Archive, name: str, path: str) -> int:
    """Write a member to a new file and return its size."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    total = 0
    with open(descriptor, "wb", buffering=0) as out, archive.open(name) as data:
        while block := data.read(BLOCK):
            out.write(block)
            total += len(block)
    return total
