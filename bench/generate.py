"""Write large checkpoint archives with honest pagemaps: `python -m bench.generate --pages 1G OUT`.

A real, small archive of Podman (tests/data/podman-looper-criu41.tar) is the template. Its one
process becomes eight with a tree, arguments and environment on their stacks, and six large
anonymous mappings each; pagemap runs, mappings and pages-<n>.img agree to the page. Truth (pids,
command lines, environment, page counts) is written beside the archive as OUT.truth.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bench.data import ROOT, SUFFIX, VERSION, truth_path
from bench.pages import KINDS, PAGE, Memory
from bench.processes import (
    GAP_PAGES,
    HEAP_BASE,
    PRESENT,
    PROCESSES,
    RUN_PAGES,
    Runs,
    Template,
    auxv_of,
    build_stack,
    core_images,
    heap_runs,
    mm_image,
    pagemap_image,
    pstree_image,
    small_images,
)
from bench.wire import image

SEED = 20261122
TEMPLATE = ROOT / "tests" / "data" / "podman-looper-criu41.tar"
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
MTIME = 1_795_306_800  # a fixed time after the template was made: the same parameters give the same bytes
NOT_COPIED = ("core-", "mm-", "pagemap-", "pages-", "fs-", "ids-", "fdinfo-", "pstree")
Write = Callable[[bytes | memoryview], object]


def size_of(text: str) -> int:
    """`1G`, `256M` or plain bytes -> bytes, in whole pages."""
    unit = UNITS.get(text[-1:].upper(), 1)
    return int(float(text[:-1] if unit > 1 else text) * unit) // PAGE * PAGE


class Tar:
    """Members one after the other into `write`, as ustar, as the engines' Go writer does for plain names."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._at = 0

    def start(self, name: str, size: int, *, folder: bool = False) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mtime = size, MTIME
        info.type, info.mode = (tarfile.DIRTYPE, 0o700) if folder else (tarfile.REGTYPE, 0o600)
        self._write(info.tobuf(tarfile.USTAR_FORMAT))

    def member(self, name: str, data: bytes) -> None:
        self.start(name, len(data))
        self._write(data)
        self.pad(len(data))

    def pad(self, size: int) -> None:
        self._write(bytes(-size % 512))

    def end(self) -> None:
        self._write(bytes(1024))


def load_template(path: Path) -> tuple[Template, list[tuple[str, bytes | None]]]:
    """The template's CRIU images by name, and all its members in order (None is a folder)."""
    images: dict[str, bytes] = {}
    members: list[tuple[str, bytes | None]] = []
    with tarfile.open(path) as archive:
        for info in archive:
            handle = archive.extractfile(info)
            data = handle.read() if handle else None
            members.append((info.name, data))
            if data is not None and info.name.startswith("checkpoint/"):
                images[info.name.removeprefix("checkpoint/")] = data
    return Template(images), members


def shape(template: Template, pages: int) -> list[list[Runs]]:
    """The heap runs of every process, so that all dumped pages together are `pages`."""
    fixed = sum(count for _, count, _ in template.runs())
    heap, count = pages - fixed * len(PROCESSES), len(PROCESSES)
    if heap < count:
        raise SystemExit(f"too small: the template alone has {fixed * count} pages")
    rng = np.random.Generator(np.random.SFC64(SEED))
    return [heap_runs(rng, heap * (i + 1) // count - heap * i // count) for i in range(count)]


def write_archive(write: Write, pages: int, template_path: Path = TEMPLATE) -> dict[str, Any]:
    """Write the archive; returns the truth about it."""
    template, members = load_template(template_path)
    tar, memory = Tar(write), Memory(SEED)
    heaps = shape(template, pages)
    truth = [_truth(i, heaps[i]) for i in range(len(PROCESSES))]
    for name, data in members:
        base = name.removeprefix("checkpoint/")
        if data is None:
            tar.start(name.rstrip("/") + "/", 0, folder=True)
        elif base == name:
            tar.member(name, _document(name, data, template, pages))
        elif not base.startswith(NOT_COPIED):
            tar.member(name, data)
    tar.member("checkpoint/pstree.img", pstree_image(template))
    for index in range(len(PROCESSES)):
        _write_process(tar, write, memory, template, index, heaps[index])
    tar.member("dump.log", b"(00.000000) written by bench/generate.py; no process was dumped\n")
    tar.end()
    return {"version": VERSION, "pages": pages, "page_size": PAGE, "shares": list(KINDS), "processes": truth}


def _truth(index: int, heaps: list[Runs]) -> dict[str, Any]:
    p = PROCESSES[index]
    return {
        "pid": p.pid,
        "ppid": p.ppid,
        "comm": p.comm,
        "cmdline": p.cmdline,
        "argv": p.argv,
        "env": p.env,
        "threads": [p.pid, *p.threads],
        "heap_pages": sum(run[1] for runs in heaps for run in runs),
        "heap_runs": sum(map(len, heaps)),
    }


def _document(name: str, data: bytes, template: Template, pages: int) -> bytes:
    """The metadata beside the images, made to agree with the processes and the page count."""
    first = PROCESSES[0]
    process = {"args": list(first.argv), "env": list(first.env)}
    if name == "config.dump":
        config = json.loads(data)
        config["name"], config["command"] = "bench", list(first.argv)
        run = ["podman", "run", "-d", "--name", "bench", config["RawImageName"]]
        config["CreateCommand"] = run + config["command"]
        config["spec"]["process"].update(process)
        return json.dumps(config).encode()
    if name == "spec.dump":
        spec = json.loads(data)
        spec["process"].update(process)
        return json.dumps(spec, indent=2).encode()
    if name == "stats-dump":
        stats = Template({name: data}).first(name).edit(1, f5=pages + 200, f7=pages)
        return image(data[:8], [stats])
    return data


def _write_process(
    tar: Tar, write: Write, memory: Memory, template: Template, index: int, heaps: list[Runs]
) -> None:
    """All images of one process; the large pages file is streamed."""
    process, pages_id = PROCESSES[index], index + 1
    fixed = template.runs()
    split = next(i for i, run in enumerate(fixed) if run[0] > heaps[0][0][0])
    low = sum(run[1] for run in fixed[:split]) * PAGE
    stack_page = fixed[-1][0] + (fixed[-1][1] - 1) * PAGE
    stack = build_stack(process, stack_page, auxv_of(template))
    runs = fixed[:split] + [run for heap in heaps for run in heap] + fixed[split:]
    images = core_images(template, process) | small_images(template, index, process)
    images[f"mm-{process.pid}.img"] = mm_image(template, stack, heaps)
    images[f"pagemap-{process.pid}.img"] = pagemap_image(template.magics("pagemap-1.img"), pages_id, runs)
    for name in sorted(images):
        tar.member(f"checkpoint/{name}", images[name])
    real = template.images["pages-1.img"]
    heap_bytes = sum(run[1] for heap in heaps for run in heap) * PAGE
    tar.start(f"checkpoint/pages-{pages_id}.img", heap_bytes + len(real))
    write(real[:low])
    for chunk in memory.chunks(heap_bytes):
        write(chunk)
    write(real[low:-PAGE] + stack.page)


@contextmanager
def sink(path: Path, compress: str) -> Iterator[Write]:
    """A file to write to: plain, or zstd level 3 or gzip level 1 as engines do by default."""
    if compress == "none":
        with open(path, "wb", buffering=0) as plain:
            yield plain.write
        return
    tool = {"zstd": ["zstd", "-q", "-3", "-T2"], "gzip": ["gzip", "-1"]}[compress]
    with open(path, "wb") as out:
        child = subprocess.Popen([*tool, "-c"], stdin=subprocess.PIPE, stdout=out)
        pipe = child.stdin
        if pipe is None:
            raise AssertionError("a pipe was asked for")
        yield pipe.write
        pipe.close()
        if child.wait():
            raise SystemExit(f"{tool[0]} failed")


def check_space(folder: Path, needed: int) -> None:
    """Refuse before writing, not when the disk is full."""
    free = shutil.disk_usage(folder).free
    if free < needed + (1 << 30):
        needs = f"{needed / 1e9:.1f} GB needed and 1 GB to spare"
        raise SystemExit(f"{folder}: {needs}, {free / 1e9:.1f} GB free")


def generate(out: Path, pages_bytes: int, compress: str = "none") -> dict[str, Any]:
    """Write `out` and its truth; an interrupted run leaves no file of that name."""
    check_space(out.parent, pages_bytes)
    part = out.with_name(out.name + ".part")
    try:
        with sink(part, compress) as write:
            truth = write_archive(write, pages_bytes // PAGE)
        truth["size"] = part.stat().st_size
        truth_path(out).write_text(json.dumps(truth, indent=1))
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
    return truth


def million_pagemap(out: Path, *, wide: bool, entries: int = 1_000_000) -> None:
    """A pagemap image alone, with `entries` runs of 1 to 127 pages in one of the two layouts."""
    template, _ = load_template(TEMPLATE)
    rng = np.random.Generator(np.random.SFC64(SEED))
    counts, gaps = rng.integers(1, RUN_PAGES, entries), rng.integers(1, GAP_PAGES, entries)
    starts = HEAP_BASE + np.concatenate(([0], np.cumsum(counts + gaps)[:-1])) * PAGE
    runs = list(zip(starts.tolist(), counts.tolist(), [PRESENT] * entries, strict=True))
    out.write_bytes(pagemap_image(template.magics("pagemap-1.img"), 1, runs, wide=wide))


def many_members(out: Path, count: int = 50_000) -> None:
    """A tar of `count` small files in nested folders, as a large rootfs-diff.tar."""
    with open(out, "wb", buffering=1 << 20) as handle:
        tar = Tar(handle.write)
        for i in range(count):
            tar.member(f"usr/lib/app/{i % 97:02d}/module-{i:05d}/file.txt", b"member %d\n" % i)
        tar.end()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.generate", description=__doc__)
    parser.add_argument("--pages", default="1G", help="bytes of pages, e.g. 256M, 1G, 8G (default: 1G)")
    parser.add_argument("--compress", choices=sorted(SUFFIX), default="none")
    kinds = ("archive", "pagemap-old", "pagemap-new", "members")
    parser.add_argument("--kind", choices=kinds, default="archive", help="a whole archive, or one part alone")
    parser.add_argument("out", type=Path, metavar="OUT")
    return parser.parse_args()


def main() -> None:
    """The command line."""
    options = _options()
    if options.kind == "members":
        many_members(options.out)
    elif options.kind != "archive":
        million_pagemap(options.out, wide=options.kind == "pagemap-new")
    else:
        started = time.monotonic()
        truth = generate(options.out, size_of(options.pages), options.compress)
        seconds = time.monotonic() - started
        rate = truth["pages"] * PAGE / seconds / 1e6
        print(
            f"{options.out}: {truth['size']:,} B, {truth['pages']:,} pages, {seconds:.1f} s, {rate:.0f} MB/s"
        )


if __name__ == "__main__":
    main()
