"""Checkpoints built in memory for tests: CRIU images from plain fields, in a tar."""

from __future__ import annotations

import io
import tarfile
from typing import Any

from cryoscope.checkpoint.archive import BytesSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.criu.framing import head_bytes
from cryoscope.checkpoint.criu.images import by_name
from cryoscope.checkpoint.criu.messages import encode, message_class

PAGE = 4096
Fields = dict[str, Any]


def message(name: str, fields: Fields) -> Any:
    """A message of a type of CRIU's schema, sub-messages as dictionaries."""
    made = message_class(name)()
    _fill(made, fields)
    return made


def _fill(made: Any, fields: Fields) -> None:
    for field, value in fields.items():
        if isinstance(value, dict):
            getattr(made, field).SetInParent()
            _fill(getattr(made, field), value)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    _fill(getattr(made, field).add(), item)
                else:
                    getattr(made, field).append(item)
        else:
            setattr(made, field, value)


def image(kind: str, *entries: Fields) -> bytes:
    """An image of a kind as crit names it (`PSTREE`), without payloads."""
    described = by_name(kind)
    assert described is not None
    out = head_bytes(described, "bare" if kind == "INVENTORY" else "common")
    for index, fields in enumerate(entries):
        data = encode(message(described.message_at(index), fields))
        out += len(data).to_bytes(4, "little") + data
    return out


def vma(start: int, end: int, status: int = 0x201, **fields: Any) -> Fields:
    """A `vma_entry`; private anonymous memory unless told otherwise."""
    common = {"shmid": 0, "pgoff": 0, "prot": 3, "flags": 0x22, "fd": -1}
    return {"start": start, "end": end, "status": status} | common | fields


NUMBERS = (
    "start_code end_code start_data end_data start_stack start_brk brk arg_start arg_end env_start env_end"
)
"""What a `mm_entry` must have."""


def mm(vmas: list[Fields], **fields: int) -> bytes:
    """A mm image with these mappings."""
    numbers = {f"mm_{name}": 0 for name in NUMBERS.split()}
    return image("MM", numbers | {"exe_file_id": 0, "vmas": vmas} | fields)


def pagemap(*entries: tuple[int, int, int], pages_id: int = 1) -> bytes:
    """A page map of (address, pages, flags)."""
    rows = [{"vaddr": at, "compat_nr_pages": 0, "nr_pages": n, "flags": flags} for at, n, flags in entries]
    return image("PAGEMAP", {"pages_id": pages_id}, *rows)


def core(comm: bytes = b"made", **fields: Any) -> bytes:
    """A core image of a living process."""
    task = {"personality": 0, "exit_code": 0, "flags": 0, "blk_sigset": 0, "comm": comm, "task_state": 1}
    return image("CORE", {"mtype": 1, "tc": task | fields})


def tree(*processes: tuple[int, int]) -> bytes:
    """A pstree image of (pid, ppid)."""
    return image(
        "PSTREE",
        *({"pid": pid, "ppid": ppid, "pgid": pid, "sid": pid, "threads": [pid]} for pid, ppid in processes),
    )


INVENTORY = {"img_version": 2}


def tar(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """A plain tar of files and symbolic links."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            made.addfile(member)
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))
    return out.getvalue()


def made(files: dict[str, bytes], links: dict[str, str] | None = None) -> Checkpoint:
    """The checkpoint of these files; images without a folder lie in checkpoint/."""

    def place(name: str) -> str:
        return f"checkpoint/{name}" if name.endswith(".img") and "/" not in name else name

    inventory = {"checkpoint/inventory.img": image("INVENTORY", INVENTORY)}
    placed = inventory | {place(name): data for name, data in files.items()}
    return Checkpoint(open_archive(BytesSource(tar(placed, links), "made.tar")))


def one_process(
    vmas: list[Fields], entries: list[tuple[int, int, int]], pages: bytes, **mm_fields: int
) -> Checkpoint:
    """A checkpoint of one process with this memory."""
    return made(
        {
            "pstree.img": tree((1, 0)),
            "core-1.img": core(),
            "mm-1.img": mm(vmas, **mm_fields),
            "pagemap-1.img": pagemap(*entries),
            "pages-1.img": pages,
        }
    )
