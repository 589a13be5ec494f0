"""Images beside buildah's: `python -m bench.image [--runs N] [--size MIB] [--compress none gzip zstd]`.

The same archive with SIZE MiB of pages, in a file system in memory of a node of the lab.  Ours is the whole
command, from the start of Python to the layout.  Theirs is what checkpointctl and the Kubernetes blog do:
from scratch, add, config, commit; into its own storage (`storage`, uncompressed, not to be copied anywhere
yet) and into a layout (`oci`).  In turns; figures are medians.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.pages import Memory
from lab.node import Node

FOLDER = "/var/lib/lab/bench"
ARCHIVE = f"{FOLDER}/checkpoint.tar"
GIVEN = Path(__file__).parents[1] / "tests/data/containerd-looper.tar"
ANNOTATION = "--annotation=io.kubernetes.cri-o.annotations.checkpoint.name=looper"
THEIRS = {"none": ["--disable-compression"], "gzip": ["--disable-compression=false"], "zstd": []}
TARGET = 0.5


def write_archive(path: Path, size: int) -> None:
    """A real archive with `size` MiB of pages more."""
    with tarfile.open(GIVEN) as given, tarfile.open(path, "w") as made:
        for info in given:
            made.addfile(info, given.extractfile(info) if info.isreg() else None)
        info = tarfile.TarInfo("checkpoint/pages-3.img")
        info.size = size << 20
        made.addfile(info, _Pages(info.size))


class _Pages(io.RawIOBase):
    """Pages as a container has them: random, text, zero and code."""

    def __init__(self, size: int) -> None:
        self._chunks = Memory(1).chunks(size)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size and (chunk := next(self._chunks, None)) is not None:
            self._rest += bytes(chunk)
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def buildah(node: Node, to: str, *options: str) -> Callable[[], None]:
    """The commands that make an image of an archive."""
    steps = (
        "c=$(buildah from scratch)",
        f"buildah add -q $c {ARCHIVE} /",
        f"buildah config {ANNOTATION} $c",
        f"buildah commit -q --rm {' '.join(options)} $c {to}",
    )
    return lambda: _run(node, "sh", "-ec", "; ".join(steps))


def ours(node: Node, compress: str) -> tuple[float, int]:
    """Seconds of our command, and its peak of memory in MB."""
    to = node.outside(f"{FOLDER}/ours")
    shutil.rmtree(to, ignore_errors=True)
    words = [
        "image",
        "build",
        str(node.outside(ARCHIVE)),
        "bench:1",
        "-o",
        str(to),
        "--compress",
        compress,
        "--force",
    ]
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "cryoscope", *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"cryoscope ended with {process.returncode}")
    return took, used.ru_maxrss // 1000


def compared(node: Node, compress: str, runs: int) -> None:
    """Print the medians of one compression."""
    to = f"{FOLDER}/theirs"
    rows: dict[str, Callable[[], None]] = {"oci": buildah(node, f"oci:{to}:1", *THEIRS[compress])}
    if compress == "none":
        rows["storage"] = buildah(node, "bench:1")
    if compress == "zstd":
        rows = {}  # buildah's commit has no choice of compression
    mine: list[float] = []
    memory = 0
    others: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(runs):
        for name, run in rows.items():
            began = time.perf_counter()
            run()
            others[name].append(time.perf_counter() - began)
            node.sh(f"rm -rf {to}; buildah rmi -a -f >/dev/null 2>&1 || true")
        took, peak = ours(node, compress)
        mine.append(took)
        memory = max(memory, peak)
    median = statistics.median(mine)
    print(f"{compress:5} ours {median:6.2f} s, {memory} MB")
    for name, times in others.items():
        ratio = median / statistics.median(times)
        verdict = "reached" if ratio <= TARGET else "short"
        print(f"      buildah {name:8} {statistics.median(times):6.2f} s: {ratio:.2f} ({verdict}, {TARGET})")


def _run(node: Node, *argv: str) -> None:
    node.run(*argv, timeout=600)


def main() -> None:
    """Compare and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--size", type=int, default=1024, metavar="MIB")
    options.add_argument("--compress", nargs="*", default=["none", "gzip", "zstd"], choices=[*THEIRS])
    given = options.parse_args()
    with Node() as node:
        node.run("mkdir", "-p", FOLDER)
        # A process of its own: what a child's peak is counted from is its parent's memory.
        maker = multiprocessing.get_context("spawn").Process(
            target=write_archive, args=(node.outside(ARCHIVE), given.size)
        )
        maker.start()
        maker.join()
        for compress in given.compress:
            compared(node, compress, given.runs)


if __name__ == "__main__":
    main()
