"""Programs in memfds: files that never had a name anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.memory import Address, AddressSpace, PageIndex, Vma
from cryoscope.checkpoint.process.files import File
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.findings.elf import MAGIC
from cryoscope.examine.findings.known.files import program
from cryoscope.examine.findings.known.runtimes import CLONES
from cryoscope.examine.iocs.asked import Asked
from cryoscope.examine.iocs.records import Sighting
from cryoscope.examine.iocs.signature import signature
from cryoscope.text import readable


def collect(asked: Asked) -> None:
    """Digests of memfds that hold a program."""
    if "sha256" not in asked.kinds:
        return
    done: set[int] = set()
    left = limits.HASHED_MEMFDS
    for file in asked.checkpoint.files:
        memfd = asked.checkpoint.files.memfd(file) if file.type == "MEMFD" else None
        if memfd is not None and memfd.shmid not in done:
            done.add(memfd.shmid)
            left -= _memfd(asked, file, memfd, left)


def _memfd(asked: Asked, file: File, memfd: Any, left: int) -> int:
    """Take one memfd, if it is a program of at most `left` bytes; gives how many were hashed."""
    path = readable(b"/memfd:" + bytes(memfd.name))
    try:
        head = b"".join(_blocks(asked.checkpoint, memfd, len(MAGIC), left))
        if program(head) is None:
            return 0
        digest, sample = hashlib.sha256(), bytearray()
        for block in _blocks(asked.checkpoint, memfd, int(memfd.size), left):
            digest.update(block)
            sample += block[: limits.IOC_SAMPLE - len(sample)]
    except CryoscopeError as error:
        asked.damaged.append(Damaged(path, error.message, error.code))
        return 0
    facts: dict[str, Any] = {
        "path": path,
        "size": int(memfd.size),
        "signature": [row.hex() for row in signature(bytes(sample))],
    }
    users = asked.checkpoint.openers.get(file.id, [])
    running = next((user for user in users if user.how == "exe"), None)
    user = running or next(iter(users), None)
    sighting = Sighting(
        source="memfd",
        pid=user.pid if user else None,
        comm=user.comm if user else None,
        fd=user.fd if user else None,
        path=path,
    )
    asked.found.add("sha256", digest.hexdigest(), *_reason(path, running is not None), sighting, **facts)
    return int(memfd.size)


def _reason(path: str, running: bool) -> tuple[str, str]:
    if CLONES.match(path):
        return "low", "a program in a memfd, named like one of a container runtime"
    return "high" if running else "medium", "a program in a memfd, which is no file on any disk"


def _blocks(checkpoint: Checkpoint, memfd: Any, size: int, left: int) -> Iterator[bytes]:
    """The first bytes of a memfd; raises `MemoryMissing` where some were not dumped."""
    if size > min(limits.HASHED_MEMFD, max(left, len(MAGIC))):
        raise CryoscopeError(f"{size} bytes are not hashed", code="limit.memfd")
    space = _space(checkpoint, int(memfd.shmid), int(memfd.size))
    for at in range(0, size, limits.MIB):
        yield space.read(at, min(limits.MIB, size - at))


def _space(checkpoint: Checkpoint, number: int, size: int) -> AddressSpace:
    """The object alone, as if it were mapped at address zero."""
    pages = -(-size // checkpoint.page_size)
    vma = Vma(
        start=Address(0),
        end=Address(pages * checkpoint.page_size),
        perms="rw-s",
        kind="memfd",
        pages=pages,
        shmid=number,
    )
    own = PageIndex(checkpoint.images, f"pagemap-shmem-{number}.img", checkpoint.page_size)
    return AddressSpace([vma], own, lambda _: own, checkpoint.page_size)
