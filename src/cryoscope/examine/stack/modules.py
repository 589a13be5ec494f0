"""The mapped files of a process: which file an address lies in, and its contents where they are known.

Only files that are known to be the mapped ones are used (`coredump.Backing`).
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from typing import NamedTuple

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.memory import AddressSpace, Vma
from cryoscope.errors import CryoscopeError
from cryoscope.examine.coredump import Backing, RootFolder
from cryoscope.examine.coredump.backing import Source
from cryoscope.examine.coredump.elf import EHDR, PHDR, PT_LOAD

CHUNK = 1 << 20
PAGE = 4096
ELF64 = b"\x7fELF\x02\x01"


class Place(NamedTuple):
    """A mapping of code as a person knows it: the file's path or the kind in brackets, and file offset."""

    module: str
    offset: int | None
    vma: Vma


class Module(msgspec.Struct, frozen=True):
    """A file with code: `bias` is what to add to the addresses in it, `local` where it is shown to others."""

    path: str
    name: bytes
    bias: int
    source: Source
    local: str


class Modules:
    """The mapped files of one process; those with code and known contents are shown in `folder`.

    Made after the process's core, for that has found out which files are the mapped ones.
    """

    def __init__(
        self, checkpoint: Checkpoint, pid: int, backing: Backing, rootfs: RootFolder | None, folder: str
    ) -> None:
        self.space = checkpoint.memory(pid)
        self._checkpoint = checkpoint
        self._backing = backing
        self._rootfs = rootfs
        self._folder = folder
        self._vmas = [vma for vma in self.space.mappings if vma.kind != "guard"] if self.space else []
        self._starts = [vma.start for vma in self._vmas]
        self._ids = _file_ids(checkpoint, pid)
        self.absent: list[str] = []
        self.found: list[Module] = []
        self._collect()

    def place(self, address: int) -> Place | None:
        """Where an address lies; None if nothing is mapped there."""
        vma = self._vma(address)
        if vma is None:
            return None
        if vma.path is None or not vma.backed_by_file:
            return Place(vma.path or f"[{vma.kind}]", None, vma)
        return Place(vma.path, vma.offset + address - vma.start, vma)

    def runs(self, address: int) -> bool:
        """Whether there is code at an address."""
        vma = self._vma(address)
        return vma is not None and "x" in vma.perms

    def tells(self, address: int) -> bool:
        """Whether the file with the code at an address is known, or the kernel's own page with it."""
        vma = self._vma(address)
        return vma is not None and (vma.kind == "vdso" or self.module(address) is not None)

    def module(self, address: int) -> Module | None:
        """The file with the code at an address, where it is known."""
        vma = self._vma(address)
        return next((m for m in self.found if vma is not None and m.path == vma.path), None)

    def _vma(self, address: int) -> Vma | None:
        index = bisect_right(self._starts, address) - 1
        vma = self._vmas[index] if index >= 0 else None
        return vma if vma is not None and address < vma.end else None

    # --- files -------------------------------------------------------------------------------
    def _collect(self) -> None:
        seen = set[str]()
        for vma in self._vmas:
            if vma.path and "x" in vma.perms and vma.backed_by_file and vma.path not in seen:
                seen.add(vma.path)
                self._enter(vma, vma.path)

    def _enter(self, vma: Vma, path: str) -> None:
        number = self._ids.get(vma.start, 0)
        source, file = self._backing.of(number), self._checkpoint.files[number]
        if not isinstance(source, Source) or file is None or len(self.found) >= limits.STACK_MODULES:
            self.absent.append(path)
            return
        try:
            bias = _bias(source, vma)
            local = self._shown(source, file.name) if bias is not None else None
        except (CryoscopeError, OSError):
            bias = local = None
        if bias is None or local is None:
            self.absent.append(path)
        else:
            self.found.append(Module(path, file.name, bias, source, local))

    def _shown(self, source: Source, name: bytes) -> str | None:
        """A name of ours for a file: a link to the one on disk, or a copy of the one in the archive."""
        local = os.path.join(self._folder, f"module-{len(self.found)}")
        on_disk = self._rootfs is not None and source.origin == self._rootfs.path
        if on_disk and self._rootfs is not None:
            real = self._rootfs.real(name)
            if real is None:
                return None
            os.symlink(real, local)
            return local
        if source.size > limits.STACK_FILE:
            return None
        with open(local, "xb") as copy:
            pieces = range(0, source.size, CHUNK)
            copy.writelines(source.read(at, min(CHUNK, source.size - at)) for at in pieces)
        return local


def _file_ids(checkpoint: Checkpoint, pid: int) -> dict[int, int]:
    """Ids in files.img of the mapped files, by the address at which a mapping starts."""
    mm = checkpoint.images.first(f"mm-{pid}.img")
    entries = mm.vmas if mm is not None and mm.vmas else checkpoint.images.messages(f"vmas-{pid}.img")
    return {entry.start: entry.shmid for entry in entries}


def _bias(source: Source, vma: Vma) -> int | None:
    """What the loader added to the addresses in an ELF file; None if it is none of 64 bits."""
    head = source.read(0, EHDR.size)
    if len(head) < EHDR.size or not head.startswith(ELF64):
        return None
    table, entry, count = struct.unpack_from("<32xQ14xHH", head)
    if entry != PHDR.size:
        return None
    data = source.read(table, PHDR.size * min(count, limits.ELF_SEGMENTS))
    for kind, _, offset, address, _, filled, _, _ in PHDR.iter_unpack(data[: len(data) // entry * entry]):
        low = offset // PAGE * PAGE
        if kind == PT_LOAD and low <= vma.offset < offset + filled:
            return int((vma.start - vma.offset + offset - address) % (1 << 64))
    return None


def memory_of(space: AddressSpace | None, address: int, length: int) -> bytes:
    """Memory as far as it is known; nothing where it cannot be read."""
    try:
        return space.read_known(address, length) if space is not None else b""
    except CryoscopeError:
        return b""
