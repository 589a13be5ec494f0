"""Who has a file in use: its descriptors, its program, what it maps, where it stands.

Without command lines, for which memory would have to be read: only the images named by the pid are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cryoscope import limits
from cryoscope.checkpoint.criu.imageset import ImageSet
from cryoscope.checkpoint.memory.vma import FILE_PRIVATE, FILE_SHARED
from cryoscope.checkpoint.process.files import FileTable
from cryoscope.checkpoint.rootfs.records import OpenIn
from cryoscope.text import readable

THROUGH = ("FIFO", "TTY")
"""Kinds of files that were opened through a regular one, which has the path."""

Use = tuple[int, str, int | None]
"""Id of the file, how it is used, and the descriptor, if it is one."""


def openers(images: ImageSet, files: FileTable, files_id: Callable[[int], int]) -> dict[int, list[OpenIn]]:
    """The processes that use each file, by its id in files.img, at most `limits.FILE_HOLDERS` a file.

    `files_id` gives the number of the table of descriptors of a pid.
    """
    found: dict[int, list[OpenIn]] = {}
    for _, pid in images.matching("fs-*"):
        comm = _comm(images, pid)
        for file_id, how, fd in dict.fromkeys(_uses(images, pid, files_id(pid))):
            held = found.setdefault(_path_holder(files, file_id), [])
            if len(held) < limits.FILE_HOLDERS:
                held.append(OpenIn(pid=pid, comm=comm, fd=fd, how=how))
    return found


def _comm(images: ImageSet, pid: int) -> str:
    core = images.first(f"core-{pid}.img")
    return readable(bytes(core.tc.comm)) if core is not None and core.HasField("tc") else "?"


def _uses(images: ImageSet, pid: int, files_id: int) -> Iterator[Use]:
    for entry in images.messages(f"fdinfo-{files_id}.img"):
        yield entry.id, "fd", entry.fd
    mm = images.first(f"mm-{pid}.img")
    if mm is not None:
        yield mm.exe_file_id, "exe", None
        for vma in mm.vmas or images.messages(f"vmas-{pid}.img"):
            if vma.status & (FILE_PRIVATE | FILE_SHARED):
                yield vma.shmid, "map", None
    fs = images.first(f"fs-{pid}.img")
    if fs is not None:
        yield fs.cwd_id, "cwd", None
        yield fs.root_id, "root", None


def _path_holder(files: FileTable, file_id: int) -> int:
    """The file that has the path: of a fifo or terminal the regular one it was opened through."""
    file = files[file_id]
    if file is None or file.type not in THROUGH:
        return file_id
    through: Any = file.entry.regf_id
    return int(through)
