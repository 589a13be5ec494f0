"""Bare CRIU: a process tree of the node itself, dumped into a folder of images."""

from __future__ import annotations

import itertools
import os
import signal
from contextlib import suppress
from pathlib import Path

from lab.engines.port import Refused, Running, wait_for_word
from lab.errors import LabError
from lab.node import Node, below
from lab.workloads import Workload

FOLDER = "/var/lib/lab/criu"
ALONE = """mkdir -p "$1"; cd /
setsid "${@:2}" < /dev/null > "$1/output" 2>&1 &
echo $! > "$1/pid"
"""
"""CRIU dumps whole sessions only, and no descriptor of a file that the tree does not own."""


class Criu:
    """CRIU in a node, without an engine."""

    name = "criu"

    def __init__(self, node: Node) -> None:
        self.node = node
        self._numbers = itertools.count()

    def start(self, workload: Workload) -> Running:
        """Run a workload on the node's own root and wait for its word."""
        for need in ("network", "user-namespace"):
            if need in workload.needs:
                raise Refused(f"bare: there is no {need} without an engine")
        folder = f"{FOLDER}/{workload.name}-{next(self._numbers)}"
        self.node.run(
            "bash",
            "-c",
            ALONE,
            "alone",
            folder,
            *workload.argv,
            *workload.bare,
            environment=dict(workload.environment),
        )
        pid = int(self.node.outside(folder + "/pid").read_text())
        return wait_for_word(self, Running(folder, self.node.pid_outside(pid), workload))

    def log(self, running: Running) -> str:
        """What it printed so far."""
        return (self.node.outside(running.id) / "output").read_text(errors="replace")

    def checkpoint(self, running: Running, *options: str) -> Path:
        """Dump it into a new folder; `options` are further ones of `criu dump`."""
        images = f"{running.id}-images-{next(self._numbers)}"  # they outlive the workload
        self.node.run("mkdir", images)
        always = (
            "--leave-running",
            "--tcp-established",
            "--file-locks",
            "--ghost-limit",
            "16M",
            "-o",
            "dump.log",
        )
        pid = self.node.outside(running.id + "/pid").read_text().strip()
        done = self.node.run("criu", "dump", "-t", pid, "-D", images, *always, *options, check=False)
        if done.returncode:
            log = self.node.outside(images + "/dump.log").read_text(errors="replace")
            raise LabError(f"criu dump: exit {done.returncode}\n{log[-3000:]}")
        return self.node.outside(images)

    def address(self, running: Running) -> str:
        """Where another workload reaches it: all share the node's network."""
        return "127.0.0.1"

    def remove(self, running: Running) -> None:
        """End it with all its children, and take its folder away."""
        for pid in [*below(running.pid)][::-1]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.node.run("rm", "-rf", running.id)
