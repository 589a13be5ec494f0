"""Captures beside what the engine takes for itself: `python -m bench.capture [--runs N] [--size MIB]`.

A container of the lab holds SIZE MiB of random memory.  Ours is the whole command, from the start of Python
to the archive that is verified and hashed; theirs is the engine's own way to one file.  Both write into the
same file system in memory, in turns; figures are medians.  Podman stands there twice: beside its own client
of the service that ours asks, too (`podman --remote`), and beside Podman without a service (`-local`).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lab.engines.containerd import Containerd
from lab.engines.criu import Criu
from lab.engines.docker import Docker
from lab.engines.podman import Podman
from lab.engines.port import Engine, Running
from lab.engines.registry import Registry
from lab.node import Node
from lab.workloads import Workload

FOLDER = "/var/lib/lab/bench"
PROGRAM = "import os, time\nheld = os.urandom({size} << 20)\nprint('ready', flush=True)\ntime.sleep(1e6)"
ENGINES: dict[str, Callable[[Node], Engine]] = {
    "podman-crun": lambda node: Podman(node, "crun"),
    "podman-runc": lambda node: Podman(node, "runc"),
    "podman-crun-local": lambda node: Podman(node, "crun"),
    "docker": Docker,
    "containerd": lambda node: Containerd(node, Registry(node)),
    "criu": Criu,
}
TARGET = 1.10
LOCAL = "-local"


def theirs(engine: Engine, running: Running, to: str, *, local: bool = False) -> Callable[[], None]:
    """The engine's own way from a running container to one file."""
    node = engine.node
    if isinstance(engine, Podman):
        remote = ("--remote", "--url", f"unix:///run/{engine.name}.sock")
        words = ("container", "checkpoint", "--leave-running", "--compress", "none", "--export", to)
        how = ("--runtime", engine.runtime) if local else remote
        return lambda: _run(node, "podman", *how, *words, running.id)
    if isinstance(engine, Docker):
        folder = f"/var/lib/docker/containers/{running.id}/checkpoints"
        create = f"docker checkpoint create --leave-running {running.id} bench"
        return lambda: _run(
            node,
            "sh",
            "-ec",
            f"{create}; tar -cf {to} -C {folder} bench; docker checkpoint rm {running.id} bench",
        )
    if isinstance(engine, Containerd):
        return lambda: engine.cri.checkpoint(running.id, to)
    pid = node.outside(running.id + "/pid").read_text().strip()
    dump = f"criu dump -t {pid} -D {to}.d -o dump.log --leave-running"
    return lambda: _run(node, "sh", "-ec", f"mkdir {to}.d; {dump}; tar -cf {to} -C {to}.d .; rm -r {to}.d")


def _run(node: Node, *argv: str) -> None:
    node.run(*argv, timeout=600)


def target(engine: Engine, running: Running) -> list[str]:
    """The arguments of `cryoscope capture` that name the container."""
    reach = ["--host", str(engine.node.pid)]
    if isinstance(engine, Podman):
        return [f"podman://{running.id}", *reach, "--endpoint", f"/run/{engine.name}.sock"]
    if isinstance(engine, Criu):
        return [f"pid://{engine.node.outside(running.id + '/pid').read_text().strip()}", *reach]
    return [("cri://containerd/" if isinstance(engine, Containerd) else "docker://") + running.id, *reach]


def ours(engine: Engine, running: Running, to: Path) -> int:
    """Run the command; its peak of memory in bytes."""
    argv = [sys.executable, "-m", "cryoscope", "capture", *target(engine, running), "-o", str(to)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{engine.name}: cryoscope ended with {os.waitstatus_to_exitcode(status)}")
    return used.ru_maxrss * 1024


def timed(act: Callable[[], object]) -> float:
    """Seconds of wall time."""
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def measure(name: str, size: int, runs: int) -> str:
    """One engine's row."""
    with Node() as node:
        engine = ENGINES[name](node)
        node.run("mkdir", "-p", FOLDER)
        running = engine.start(
            Workload("big", "workloads", ("python3", "-B", "-c", PROGRAM.format(size=size)))
        )
        their, our, peaks = [], [], []
        for number in range(runs + 1):  # the first one warms up
            to = f"{FOLDER}/theirs-{number}.tar"
            their.append(timed(theirs(engine, running, to, local=name.endswith(LOCAL))))
            node.run("rm", "-f", to)
            path = node.outside(f"{FOLDER}/ours-{number}.tar")
            our.append(timed(lambda path=path: peaks.append(ours(engine, running, path))))  # type: ignore[misc]
            path.unlink()
        mine, other = statistics.median(our[1:]), statistics.median(their[1:])
        verdict = "reached" if mine / other <= TARGET else "SHORT"
        peak = max(peaks) / 1e6
        return f"{name:18} {mine:7.2f} s {other:7.2f} s  {mine / other:5.2f}  {peak:5.0f} MB  {verdict}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--size", type=int, default=1024, help="MiB of memory")
    parser.add_argument("--engine", choices=ENGINES, action="append")
    given = parser.parse_args()
    print(f"{'engine':18} {'ours':>9} {'theirs':>9}  ratio  memory  (target {TARGET:.2f}, 100 MB)")
    for name in given.engine or ENGINES:
        print(measure(name, given.size, given.runs), flush=True)


if __name__ == "__main__":
    main()
