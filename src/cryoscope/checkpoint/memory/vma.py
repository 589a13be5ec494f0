"""Mappings of a process: what `vma_entry` in mm-<pid>.img says.

Defined in CRIU's images/vma.proto; the status bits in criu/include/image.h.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from cryoscope.checkpoint.memory.address import Address
from cryoscope.text import with_bytes

REGULAR, STACK, VSYSCALL, VDSO = 1 << 0, 1 << 1, 1 << 2, 1 << 3
HEAP, FILE_PRIVATE, FILE_SHARED = 1 << 5, 1 << 6, 1 << 7
ANON_SHARED, ANON_PRIVATE, SYSVIPC, SOCKET = 1 << 8, 1 << 9, 1 << 10, 1 << 11
VVAR, AIORING, MEMFD, SHSTK, GUARD, UPROBES = 1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16, 1 << 17

KINDS = (
    (VSYSCALL, "vsyscall"),
    (VDSO, "vdso"),
    (VVAR, "vvar"),
    (GUARD, "guard"),
    (UPROBES, "uprobes"),
    (AIORING, "aio-ring"),
    (SYSVIPC, "sysv-shm"),
    (MEMFD, "memfd"),
    (SOCKET, "packet-socket"),
    (SHSTK, "shadow-stack"),
    (HEAP, "heap"),
    (STACK, "stack"),
    (ANON_SHARED, "shared-anon"),
    (FILE_SHARED, "shared-file"),
    (FILE_PRIVATE, "file"),
    (ANON_PRIVATE, "anon"),
)
"""What a mapping is, by the first status bit that is set: the special kinds carry a general bit too."""

SHARED_OBJECT = ("sysv-shm", "memfd", "shared-anon")
"""Kinds whose pages lie in the image of the shared object, not in that of the process."""

MAP_SHARED = 0x01


class Vma(msgspec.Struct, frozen=True, omit_defaults=True):
    """One mapping, `start` up to but not including `end`.

    `perms` is written as in /proc/PID/maps (`rw-p`), `offset` is in bytes into `path` or the
    shared object, `kind` one of `KINDS`.  `pages` is the length in pages; `dumped`, `parent`,
    `zero`, `file`, `lazy` and `unknown` add up to it: how many have their bytes in this
    checkpoint, in its parent, are known to be zero, are pages that only the file `path` holds,
    were left on the source host, or cannot be told.

    `guard` is no mapping of its own: CRIU writes it for pages inside another one that the process
    had made unreadable (madvise(2), MADV_GUARD_INSTALL).  `shmid` is the number of the shared
    object behind `sysv-shm`, `memfd` and `shared-anon`.
    """

    start: Address
    end: Address
    perms: str
    kind: str
    pages: int
    offset: int = 0
    path: str | None = None
    path_base64: str | None = None
    deleted: bool = False
    shmid: int | None = None
    flags: int = 0
    status: int = 0
    dumped: int = 0
    parent: int = 0
    zero: int = 0
    file: int = 0
    lazy: int = 0
    unknown: int = 0

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.end - self.start

    @property
    def object_id(self) -> int | None:
        """Number of the shared object (pagemap-shmem-<id>.img) behind it, if it is one."""
        return self.shmid if self.kind in SHARED_OBJECT else None

    @property
    def backed_by_file(self) -> bool:
        """Whether pages that were not dumped can be read from a file."""
        return bool(self.status & (FILE_PRIVATE | FILE_SHARED)) and not self.status & MEMFD


def kind_of(status: int) -> str:
    """What kind of mapping the status bits of a `vma_entry` describe."""
    return next((name for bit, name in KINDS if status & bit), "other")


def perms_of(prot: int, flags: int) -> str:
    """Protection as in /proc/PID/maps: `r-xp`."""
    letters = "".join(letter if prot & bit else "-" for letter, bit in (("r", 1), ("w", 2), ("x", 4)))
    return letters + ("s" if flags & MAP_SHARED else "p")


def vmas_of(mm: Any, path_of: Callable[[int], tuple[bytes, bool] | None], page_size: int) -> list[Vma]:
    """The mappings of a `mm_entry`, in address order, not yet counted.

    `path_of` gives the path of a file by its id in files.img and whether it was deleted.
    Entries that cannot be are left out: that end before they start, or begin inside another.
    """
    found = [_vma(entry, path_of, page_size) for entry in mm.vmas if entry.end > entry.start]
    guards = _apart([vma for vma in found if vma.kind == "guard"])
    mapped = _apart([vma for vma in found if vma.kind != "guard"])
    stack = getattr(mm, "mm_start_stack", 0)
    named = [_as_stack(vma) if vma.start <= stack < vma.end else vma for vma in mapped]
    return sorted(named + guards, key=lambda vma: vma.start)


def _apart(vmas: list[Vma]) -> list[Vma]:
    """In address order, without those that begin before the last one has ended."""
    found: list[Vma] = []
    for vma in sorted(vmas, key=lambda vma: vma.start):
        if not found or vma.start >= found[-1].end:
            found.append(vma)
    return found


def _as_stack(vma: Vma) -> Vma:
    """The mapping that /proc/PID/maps calls `[stack]`: CRIU does not mark it."""
    return msgspec.structs.replace(vma, kind="stack") if vma.kind == "anon" else vma


def _vma(entry: Any, path_of: Callable[[int], tuple[bytes, bool] | None], page_size: int) -> Vma:
    status = entry.status
    kind = kind_of(status)
    found = path_of(entry.shmid) if status & (FILE_PRIVATE | FILE_SHARED | SOCKET) else None
    path: dict[str, Any] = {} if found is None else with_bytes("path", found[0])
    return Vma(
        start=Address(entry.start),
        end=Address(entry.end),
        perms=perms_of(entry.prot, entry.flags),
        kind=kind,
        pages=-(-(entry.end - entry.start) // page_size),
        offset=entry.pgoff,
        deleted=bool(found and found[1]),
        shmid=entry.shmid if kind in SHARED_OBJECT else None,
        flags=entry.flags,
        status=status,
        **path,
    )
