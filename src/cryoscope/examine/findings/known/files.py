"""What a changed file is: whether its contents are new, and what its first bytes say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from cryoscope.examine.findings.elf import MAGIC

if TYPE_CHECKING:
    from cryoscope.checkpoint.rootfs import FileEntry
    from cryoscope.examine.findings.scene import Scene

NEW = ("added", "changed", "written", "held")
"""Changes that brought contents; with a base, `metadata` and `same` brought none."""

HEAD = 64
"""Bytes that tell a program from data."""

SECOND = 1_000_000_000


def written(scene: Scene) -> Iterator[FileEntry]:
    """Regular files whose contents the container wrote."""
    return (entry for entry in scene.files if entry.change in NEW and entry.type in ("file", "hardlink"))


def links(scene: Scene) -> Iterator[FileEntry]:
    """Symbolic links that the container made."""
    return (entry for entry in scene.files if entry.change in NEW and entry.type == "symlink")


def runnable(entry: FileEntry) -> bool:
    """Whether somebody may execute it."""
    return bool(set((entry.mode or "")[1:]) & set("xst"))


def program(head: bytes) -> str | None:
    """`ELF program` or `script` by the first bytes (elf(5), execve(2)); None for data."""
    if head.startswith(MAGIC):
        return "ELF program"
    return "script" if head.startswith(b"#!") else None


def fresh(scene: Scene, entry: FileEntry) -> bool | None:
    """Whether a file is younger than its container; None where that is not known.

    A layer also holds files that were only touched: those keep the time that the image gave them.
    """
    try:
        created = datetime.fromisoformat(scene.container.created or "").timestamp()
    except (ValueError, OverflowError):
        return None
    return None if entry.mtime_ns is None else entry.mtime_ns >= int(created) * SECOND


def lines(data: bytes) -> list[str]:
    """The lines of a text that are neither empty nor comments."""
    found = (line.strip() for line in data.decode("utf-8", "backslashreplace").splitlines())
    return [line for line in found if line and not line.startswith("#")]
