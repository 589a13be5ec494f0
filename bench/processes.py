"""The processes of a generated checkpoint: who they are (the truth) and the images that say so.

Message and field numbers are those of CRIU's images/*.proto (core, mm, vma, pagemap, pstree, fs,
ids); the template is a real dump of pid 1 by CRIU 4.1.1, whose pagemaps carry the page count in
field 2 (`nr_pages`, before CRIU 4.2 moved it to field 5), the only layout checkpointctl 1.3 reads.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from bench.pages import PAGE
from bench.wire import Message, image, messages, varint

PRESENT, LAZY = 4, 2  # pagemap_entry.flags; CRIU marks anonymous private memory lazy as well
HEAPS = 6
HEAP_BASE = 0x7E00_0000_0000
RUN_PAGES, GAP_PAGES = 128, 16  # runs and the holes between them are shorter than that
Runs = list[tuple[int, int, int]]
"""Dumped runs of a pagemap: (address, pages, flags)."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process: what an examiner must find in the archive."""

    pid: int
    ppid: int
    comm: str
    argv: tuple[str, ...]
    env: tuple[str, ...]
    threads: tuple[int, ...] = ()

    @property
    def cmdline(self) -> str:
        """The arguments with spaces between them."""
        return " ".join(self.argv)


_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BASE_ENV = (_PATH, "container=podman", "HOME=/root")


def _process(pid: int, ppid: int, comm: str, args: str, env: str = "", *threads: int) -> Process:
    own = (*_BASE_ENV, f"BENCH_TOKEN=bench-token-{pid:04d}", *env.split())
    return Process(pid, ppid, comm, tuple(args.split()), own, threads)


PROCESSES = (
    _process(1, 0, "sh", "sh /srv/start.sh --profile production"),
    _process(7, 1, "web", "/srv/bin/web --listen 0.0.0.0:8080 --workers 2", "APP_ENV=production", 8, 9),
    _process(12, 7, "web-worker", "web: worker 0 --queue default", "WORKER=0 DB_URL=postgres://db/app"),
    _process(13, 7, "web-worker", "web: worker 1 --queue mail", "WORKER=1 DB_URL=postgres://db/app"),
    _process(20, 1, "cache", "/srv/bin/cache --maxmemory 256mb --save 900", "CACHE_DIR=/var/cache/app"),
    _process(31, 1, "crond", "crond -f -l 8", "TZ=UTC"),
    _process(44, 31, "sh", "sh -c /srv/bin/report>>/log", "REPORT_TO=ops@example.org"),
    _process(45, 44, "report", "/srv/bin/report --since yesterday --format csv", "LANG=C.UTF-8"),
)


@dataclass(slots=True)
class Template:
    """The images of one really dumped process, by name, and its pages."""

    images: dict[str, bytes]

    def magics(self, name: str) -> bytes:
        return self.images[name][:8]

    def first(self, name: str) -> Message:
        return next(messages(self.images[name]))

    def runs(self) -> Runs:
        """The dumped runs of pid 1: (address, pages, flags)."""
        entries = list(messages(self.images["pagemap-1.img"]))[1:]
        return [(e.number(1), e.number(2), e.number(4)) for e in entries]


def heap_runs(rng: np.random.Generator, pages: int) -> list[Runs]:
    """`pages` dumped pages as runs of 1 to 128 pages with holes between, spread over HEAPS mappings."""
    out, at = [], HEAP_BASE
    for heap in range(HEAPS):
        left = pages * (heap + 1) // HEAPS - pages * heap // HEAPS
        runs = []
        while left > 0:
            length = min(int(rng.integers(1, RUN_PAGES)), left)
            runs.append((at, length, PRESENT | LAZY))
            at += (length + int(rng.integers(1, GAP_PAGES))) * PAGE
            left -= length
        out.append(runs)
        at += 1 << 30  # address space between two mappings
    return out


@dataclass(slots=True)
class Stack:
    """The last page of a stack as execve leaves it, and where its parts lie."""

    page: bytes
    start_stack: int
    arg_start: int
    env_start: int
    env_end: int


def build_stack(process: Process, page_address: int, auxv: list[int]) -> Stack:
    """Lay out argc, pointers, auxv, argument and environment strings (fs/binfmt_elf.c, fs/exec.c)."""
    argv = [a.encode() + b"\0" for a in process.argv]
    env = [e.encode() + b"\0" for e in process.env]
    tail = b"/bin/sh\0" + bytes(8)
    end = page_address + PAGE
    env_end = end - len(tail)
    env_start = env_end - sum(map(len, env))
    arg_start = env_start - sum(map(len, argv))
    pointers = [len(argv), *_addresses(arg_start, argv), 0, *_addresses(env_start, env), 0, *auxv]
    vector = struct.pack(f"<{len(pointers)}Q", *pointers)
    start = (arg_start - len(vector)) & ~0xF
    if start < page_address:
        raise ValueError(f"arguments of pid {process.pid} do not fit in one page")
    body = (vector + bytes(arg_start - start - len(vector))) + b"".join(argv + env) + tail
    return Stack(body.rjust(PAGE, b"\0"), start, arg_start, env_start, env_end)


def _addresses(start: int, strings: list[bytes]) -> list[int]:
    out = []
    for item in strings:
        out.append(start)
        start += len(item)
    return out


def mm_image(template: Template, stack: Stack, heaps: list[Runs]) -> bytes:
    """mm-<pid>.img: the template's mappings, and an anonymous private one around each heap."""
    mm = template.first("mm-1.img")
    for number, value in ((5, stack.start_stack), (8, stack.arg_start), (9, stack.env_start)):
        mm.set(number, value)
    mm.set(10, stack.env_start).set(11, stack.env_end)
    vmas = [Message.parse(v) for v in mm.all_bytes(14)]
    anonymous = next(v for v in vmas if v.number(7) == 0x201)  # VMA_AREA_REGULAR | VMA_ANON_PRIVATE
    for runs in filter(None, heaps):
        last = runs[-1]
        vma = Message(list(anonymous.fields)).set(1, runs[0][0]).set(2, last[0] + last[1] * PAGE)
        vmas.append(vma)
    vmas.sort(key=lambda v: v.number(1))
    at = next(i for i, f in enumerate(mm.fields) if f[0] == 14)
    mm.drop(14)
    mm.fields[at:at] = [(14, 2, v.dump()) for v in vmas]
    return image(template.magics("mm-1.img"), [mm])


def auxv_of(template: Template) -> list[int]:
    """The saved auxiliary vector of the template."""
    return [v for n, _, v in template.first("mm-1.img").fields if n == 13 and isinstance(v, int)]


def pagemap_image(magics: bytes, pages_id: int, runs: Runs, *, wide: bool = False) -> bytes:
    """pagemap-<pid>.img; `wide` is the layout of CRIU 4.2: field 2 is 0, the count is in field 5."""
    out = bytearray(image(magics, [Message().add(1, pages_id)]))
    for address, count, flags in runs:
        number = varint(count)
        old = b"\x00" if wide else number
        new = b"\x28" + number if wide else b""
        body = b"\x08" + varint(address) + b"\x10" + old + b"\x20" + varint(flags) + new
        out += len(body).to_bytes(4, "little") + body
    return bytes(out)


def core_images(template: Template, process: Process) -> dict[str, bytes]:
    """core-<tid>.img of the leader and of each further thread (which has no task_core_entry)."""
    out = {}
    for tid in (process.pid, *process.threads):
        core = template.first("core-1.img")
        comm = process.comm.encode()[:15]
        core.edit(5, f13=comm)
        if tid == process.pid:
            core.edit(3, f6=comm)
        else:
            core.drop(3)
        out[f"core-{tid}.img"] = image(template.magics("core-1.img"), [core])
    return out


def small_images(template: Template, index: int, process: Process) -> dict[str, bytes]:
    """fs, ids and fdinfo of the `index`-th process: own object ids, the template's open files."""
    ids = template.first("ids-1.img").set(1, index + 1)
    for number in (2, 3, 4):
        ids.set(number, index + 2)
    return {
        f"fs-{process.pid}.img": template.images["fs-1.img"],
        f"ids-{process.pid}.img": image(template.magics("ids-1.img"), [ids]),
        f"fdinfo-{index + 2}.img": template.images["fdinfo-2.img"],
    }


def pstree_image(template: Template) -> bytes:
    """pstree.img: one entry a process, all in the session of pid 1."""
    entries = []
    for p in PROCESSES:
        entry = Message().add(1, p.pid).add(2, p.ppid).add(3, 1).add(4, 1)
        for tid in (p.pid, *p.threads):
            entry.add(5, tid)
        entries.append(entry)
    return image(template.magics("pstree.img"), entries)
