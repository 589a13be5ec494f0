"""Checkpoints made for core files: images from plain fields, and ELF files with a build-id."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "checkpoint"))

from built_samples import PAGE, Fields, image, made, mm, pagemap, tree, vma

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.errors import Damaged
from cryoscope.examine.coredump import Backing, Core, RootFolder, write_core
from cryoscope.examine.coredump import elf as written_elf

FILE = 0x41
"""Status of a private mapping of a file."""
GENERAL = (
    "r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs flags sp ss fs_base gs_base ds es fs gs"
)
FLOATING: Fields = dict.fromkeys(("cwd", "swd", "twd", "fop", "rip", "rdp", "mxcsr", "mxcsr_mask"), 0)


def core(*, mtype: int = 1, xsave: Fields | None = None, **general: int) -> bytes:
    """A core image of a thread with these registers, all others 0."""
    floating = FLOATING | {"st_space": list(range(32)), "xmm_space": list(range(64))}
    if xsave is not None:
        floating["xsave"] = {"xstate_bv": 0} | xsave
    task = {"personality": 0, "exit_code": 0, "flags": 0, "blk_sigset": 0, "comm": b"made", "task_state": 1}
    info = {"clear_tid_addr": 0, "gpregs": dict.fromkeys(GENERAL.split(), 0) | general, "fpregs": floating}
    own = {"futex_rla": 0, "futex_rla_len": 0}
    return image("CORE", {"mtype": mtype, "tc": task, "thread_info": info, "thread_core": own})


def process(
    vmas: list[Fields], entries: list[tuple[int, int, int]], pages: bytes, **more: bytes
) -> Checkpoint:
    """A checkpoint of one process; `more` are further files or other images, `_img` for `.img`."""
    files = {
        "pstree.img": tree((1, 0)),
        "core-1.img": core(),
        "mm-1.img": mm(vmas),
        "pagemap-1.img": pagemap(*entries),
        "pages-1.img": pages,
    }
    named = {name.replace("__", "-").replace("_img", ".img"): data for name, data in more.items()}
    return made(files | named)


def files(*found: Fields) -> bytes:
    """A files image of regular files."""
    common = {"flags": 0, "pos": 0, "fown": {"uid": 0, "euid": 0, "signum": 0, "pid_type": 0, "pid": 0}}
    entries = [{"type": 1, "id": file["id"], "reg": common | file} for file in found]
    return image("FILES", *entries)


def words(build_id: bytes) -> list[int]:
    """A build-id as CRIU notes it."""
    padded = build_id + bytes(-len(build_id) % 4)
    return list(struct.unpack(f"<{len(padded) // 4}I", padded))


def elf_file(build_id: bytes, pages: int = 2) -> bytes:
    """An ELF file that has nothing but a build-id, and a letter of its own on each further page."""
    note = struct.pack("<III", 4, len(build_id), 3) + b"GNU\0" + build_id + bytes(-len(build_id) % 4)
    head = written_elf.EHDR.pack(written_elf.IDENT, 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    first = head + written_elf.note_header(120, len(note)) + note
    rest = (bytes([65 + index]) * PAGE for index in range(pages - 1))
    return first.ljust(PAGE, b"\0") + b"".join(rest)


def write(
    checkpoint: Checkpoint, path: Path, *, rootfs: Path | None = None
) -> tuple[Core, bytes, list[Damaged]]:
    """The record, the file and the damage of the core of process 1."""
    damaged: list[Damaged] = []
    root = RootFolder(str(rootfs)) if rootfs is not None else None
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        core = write_core(checkpoint, 1, descriptor, Backing(checkpoint, root), damaged=damaged)
        return core, path.read_bytes(), damaged
    finally:
        os.close(descriptor)
        if root is not None:
            root.close()


def segments(data: bytes) -> list[Any]:
    """The PT_LOADs of a core: (flags, offset, start, filled, size)."""
    count = struct.unpack_from("<H", data, 56)[0]
    if count == 0xFFFF:
        count = struct.unpack_from("<I", data, struct.unpack_from("<Q", data, 40)[0] + 44)[0]
    rows = [written_elf.PHDR.unpack_from(data, 64 + 56 * index) for index in range(count)]
    return [(row[1], row[2], row[3], row[5], row[6]) for row in rows if row[0] == written_elf.PT_LOAD]


def notes(data: bytes) -> list[tuple[int, bytes]]:
    """The notes of a core: kind and contents."""
    _, _, at, _, _, size, *_ = written_elf.PHDR.unpack_from(data, 64)
    found, end = [], at + size
    while at < end:
        name, length, kind = struct.unpack_from("<III", data, at)
        start = at + 12 + (name + 3) // 4 * 4
        found.append((kind, data[start : start + length]))
        at = start + (length + 3) // 4 * 4
    return found


__all__ = [
    "FILE",
    "PAGE",
    "core",
    "elf_file",
    "files",
    "image",
    "made",
    "mm",
    "pagemap",
    "process",
    "segments",
]
__all__ += ["notes", "tree", "vma", "words", "write"]
