"""Pairs of checkpoints for the tests of `diff`: made from fields, or opened in any form."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from cryoscope.checkpoint.archive import BytesSource, open_archive, open_folder
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.examine.diff import Compared, Wanted, compare
from cryoscope.examine.diff.hashing import PageHashes
from tests.checkpoint.built_samples import PAGE, core, image, made, mm, pagemap, tar, vma

BASE = 0x10000
PLACES = {"mm_start_code": 0x400000, "mm_start_stack": 0x7FFD1000, "mm_start_brk": 0x900000}
"""Where the kernel put a program."""
PRESENT = 4


def process(
    pid: int = 1,
    *,
    comm: bytes = b"made",
    pages: dict[int, bytes] | None = None,
    mapped: int = 8,
    places: dict[str, int] | None = None,
    vmas: list[dict[str, Any]] | None = None,
    **task: Any,
) -> dict[str, bytes]:
    """The images of one process; `pages` are the contents of those of its one mapping that were dumped."""
    held = pages or {}
    entries = [(BASE + number * PAGE, 1, PRESENT) for number in sorted(held)]
    return {
        f"core-{pid}.img": core(comm, **task),
        f"mm-{pid}.img": mm(vmas or [vma(BASE, BASE + mapped * PAGE)], **(places or PLACES)),
        f"pagemap-{pid}.img": pagemap(*entries, pages_id=pid),
        f"pages-{pid}.img": b"".join(held[number] for number in sorted(held)),
    }


def tree(*processes: tuple[int, int]) -> bytes:
    """A pstree image of (pid, ppid), all of one session."""
    rows = [{"pid": pid, "ppid": ppid, "pgid": 1, "sid": 1, "threads": [pid]} for pid, ppid in processes]
    return image("PSTREE", *rows)


def checkpoint(files: dict[str, bytes], *processes: tuple[int, int]) -> Checkpoint:
    """The checkpoint of these images."""
    return made({"pstree.img": tree(*(processes or ((1, 0),)))} | files)


def packed(files: dict[str, bytes]) -> bytes:
    """The same as a gzip stream."""
    inside = {"inventory.img": image("INVENTORY", {"img_version": 2}), "pstree.img": tree((1, 0))} | files
    return gzip.compress(tar({f"checkpoint/{name}": data for name, data in inside.items()}), 1, mtime=0)


def opened(source: Path | bytes) -> tuple[Checkpoint, PageHashes]:
    """A checkpoint in any form, with what hashed it if it streamed by."""
    tap = PageHashes()
    if isinstance(source, Path) and source.is_dir():
        return Checkpoint(open_folder(str(source))), tap
    data = source if isinstance(source, bytes) else source.read_bytes()
    return Checkpoint(open_archive(BytesSource(data, "a.tar"), tap=tap)), tap


def compared(old: Path | bytes, new: Path | bytes, wanted: Wanted | None = None) -> Compared:
    """Two checkpoints in any form beside each other."""
    (a, hashed_a), (b, hashed_b) = opened(old), opened(new)
    with a, b:
        return compare(a, b, wanted or Wanted(), hashes=(hashed_a, hashed_b))


def told(found: Compared) -> set[tuple[str, str, str, str | None]]:
    """The differences as (aspect, change, subject, field)."""
    return {(d.aspect, d.change, d.subject, d.field) for d in found.diff.differences}
