"""Keeping evidence beside sha256sum, zstd and age in a pipe: `python -m bench.keep [--pages 1G] [--runs N]`.

Ours hashes the archive, each of its members and what is stored, and writes a seek table; theirs hashes the
archive and what is stored.  Both read the same file out of the page cache and write into the same folder of
a node of the lab, in turns; figures are medians.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.data import Data
from lab.node import Node

FOLDER = "/var/lib/lab/bench"
OURS = """
import sys
from cryoscope.checkpoint.archive import FileSource
from cryoscope.evidence.forms import keep
given, to, frames, *recipients = sys.argv[1:]
with open(to, "wb") as blob:
    print(keep(FileSource(given), blob, frames=frames == "frames", recipients=recipients).stored_size)
"""
FORMS = {
    "as it is": ("plain", False),
    "frames": ("frames", False),
    "encrypted": ("plain", True),
    "frames, encrypted": ("frames", True),
}


def ours(given: Path, to: Path, frames: str, recipients: list[str]) -> tuple[float, int, int]:
    """Seconds, peak memory and bytes stored."""
    started = time.perf_counter()
    argv = [sys.executable, "-c", OURS, str(given), str(to), frames, *recipients]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    with process:
        if process.returncode or process.stdout is None:
            raise SystemExit(f"ended with {process.returncode}")
        return time.perf_counter() - started, used.ru_maxrss * 1024, int(process.stdout.read())


def theirs(node: Node, given: str, to: str, frames: str, recipients: list[str]) -> float:
    """Seconds of the pipeline."""
    stages = ["zstd -q -1 -T2 -c"] if frames == "frames" else []
    stages += [f"age -r {recipient}" for recipient in recipients]
    started = time.perf_counter()
    pipe = " | ".join([f"cat {given}", *stages, f"tee {to}", "sha256sum"])
    node.sh(f"sha256sum {given} & {pipe}; wait", timeout=900)
    return time.perf_counter() - started


def measure(node: Node, given: Path, form: str, runs: int) -> str:
    """One form's row."""
    frames, encrypted = FORMS[form]
    recipients = [node.sh(f"age-keygen -y {FOLDER}/key").strip()] if encrypted else []
    our, their, peak, stored = [], [], 0, 0
    to = f"{FOLDER}/stored"
    for _ in range(runs + 1):  # the first one warms up
        seconds, memory, stored = ours(given, node.outside(to), frames, recipients)
        our.append(seconds)
        peak = max(peak, memory)
        their.append(theirs(node, f"{FOLDER}/given", to, frames, recipients))
    mine, other = statistics.median(our[1:]), statistics.median(their[1:])
    size = given.stat().st_size
    return (
        f"{form:18} {mine:6.2f} s {size / mine / 2**30:5.2f} GiB/s  {other:6.2f} s  {mine / other:5.2f}"
        f"  {peak / 1e6:4.0f} MB  {stored / size:5.1%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--pages", default="1G", help="bytes of memory in the archive")
    parser.add_argument("--folder", type=Path, default=Path(".bench"))
    asked = parser.parse_args()
    asked.folder.mkdir(exist_ok=True)
    archive, _ = Data(asked.folder).archive(asked.pages)
    with Node() as node:
        node.sh(f"mkdir -p {FOLDER}; age-keygen -o {FOLDER}/key")
        given = node.outside(f"{FOLDER}/given")
        subprocess.run(["cp", str(archive), str(given)], check=True)
        print(f"{'form':18} {'ours':>8} {'':11}  {'theirs':>8}  ratio  memory  stored")
        for form in FORMS:
            print(measure(node, given, form, asked.runs), flush=True)


if __name__ == "__main__":
    main()
