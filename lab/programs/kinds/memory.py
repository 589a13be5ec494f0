"""Memory of every kind, each with a secret of its own."""

import ctypes
import mmap
import os
import struct

from libc import LIBC, call
from parts import keep, part

PAGE = mmap.PAGESIZE
IPC_CREAT = 0o1000
SETVAL = 16
SHM_KEY, MSG_KEY, SEM_KEY = 0x43525953, 0x43525954, 0x43525955
SHARED = mmap.mmap(-1, 4 * PAGE)
"""Shared anonymous memory, made first so that the children have it too."""


def fill(memory: mmap.mmap, at: int, secret: bytes) -> dict[str, object]:
    """Write a secret into a mapping that stays; tells where it is."""
    keep(memory)
    memory[at : at + len(secret)] = secret
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    return {"base": base, "size": len(memory), "at": base + at, "text": secret.decode()}


@part()
def shared_anonymous() -> object:
    return fill(SHARED, 0, b"SHARED-ANONYMOUS-SECRET")


@part()
def private_anonymous() -> object:
    """A mebibyte of which one page is there; the kernel may join it to a neighbour in /proc/PID/maps."""
    memory = mmap.mmap(-1, 1 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return fill(memory, 5 * PAGE, b"PRIVATE-ANONYMOUS-SECRET")


@part()
def private_file() -> object:
    """A file mapped privately: of its two pages the written one is in the checkpoint."""
    file = os.open("mapped.bin", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(file, b"m" * 2 * PAGE)
    writable = mmap.PROT_READ | mmap.PROT_WRITE
    memory = mmap.mmap(file, 2 * PAGE, flags=mmap.MAP_PRIVATE, prot=writable, trackfd=False)
    os.close(file)
    return fill(memory, PAGE, b"WRITTEN-PAGE-SECRET") | {"path": os.path.abspath("mapped.bin")}


@part()
def memfd() -> object:
    """One that is mapped, and one that is known by its descriptor only."""
    mapped, loose = (os.memfd_create(name) for name in ("lab-mapped", "lab-loose"))
    os.truncate(mapped, 2 * PAGE)
    os.write(loose, b"MEMFD-LOOSE-SECRET" + b"\1" * PAGE)
    told = fill(mmap.mmap(mapped, 2 * PAGE, trackfd=False), 100, b"MEMFD-MAPPED-SECRET")
    return {"mapped": told | {"fd": mapped}, "loose": {"fd": loose, "text": "MEMFD-LOOSE-SECRET"}}


@part()
def posix_shm() -> object:
    file = os.open("/dev/shm/lab-posix", os.O_RDWR | os.O_CREAT, 0o600)
    os.truncate(file, PAGE)
    told = fill(mmap.mmap(file, PAGE, trackfd=False), 0, b"POSIX-SHM-SECRET")
    return told | {"fd": file, "path": "/dev/shm/lab-posix"}


@part()
def sysv_shm() -> object:
    """CRIU refuses an attached segment of an IPC namespace that it does not dump: a bare process's."""
    number = call("shmget", SHM_KEY, 16 * PAGE, IPC_CREAT | 0o600)
    base = LIBC.shmat(number, None, 0)
    secret = b"SYSV-SHM-SECRET"
    ctypes.memmove(base, secret, len(secret))
    return {"key": SHM_KEY, "id": number, "at": base, "size": 16 * PAGE, "text": secret.decode()}


@part()
def sysv_queue() -> object:
    number = call("msgget", MSG_KEY, IPC_CREAT | 0o600)
    for kind, text in ((1, b"SYSV-FIRST-SECRET"), (2, b"SYSV-SECOND-SECRET")):
        call("msgsnd", number, struct.pack("l", kind) + text, len(text), 0)
    return {"key": MSG_KEY, "id": number, "messages": {1: "SYSV-FIRST-SECRET", 2: "SYSV-SECOND-SECRET"}}


@part()
def sysv_semaphores() -> object:
    number = call("semget", SEM_KEY, 3, IPC_CREAT | 0o600)
    call("semctl", number, 1, SETVAL, 7)
    return {"key": SEM_KEY, "id": number, "values": [0, 7, 0]}


@part()
def environment() -> object:
    """A variable that is set late lies in the heap, not where /proc/PID/environ looks."""
    os.environ["SET_LATE"] = "ENVIRONMENT-SET-LATE-SECRET"
    return {"SET_LATE": "ENVIRONMENT-SET-LATE-SECRET"}
