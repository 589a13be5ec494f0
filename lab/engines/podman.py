"""Podman, with crun or runc; its service listens on `socket` for whoever wants the API.

Checkpoints are taken as a person would take them, with `podman container checkpoint --export`.
"""

from __future__ import annotations

import itertools
from pathlib import Path

from lab.engines.freezer import thawing
from lab.engines.port import Refused, Running, wait_for_word
from lab.errors import LabError
from lab.node import CommandFailed, Node
from lab.workloads import IMAGES, Workload

NETWORK = "lab"
REFUSALS = {
    (
        "crun",
        "user-namespace",
    ): "crun restores no user namespace here: `/dev/urandom doesn't have a proper root mount`",
}


class Podman:
    """Podman in a node with one of its runtimes."""

    def __init__(self, node: Node, runtime: str) -> None:
        self.node = node
        self.runtime = runtime
        self.name = f"podman-{runtime}"
        self._numbers = itertools.count()
        self._load()
        inside = f"/run/podman-{runtime}.sock"
        self.socket = node.outside(inside)
        command = (*self._podman(), "system", "service", "--time=0", f"unix://{inside}")
        node.service(*command, ready=self.socket.exists)

    def _podman(self) -> tuple[str, ...]:
        return ("podman", "--runtime", self.runtime)

    def _load(self) -> None:
        """Runtimes of one node share the images and the bridge."""
        for image in IMAGES.values():
            if self.node.run("podman", "image", "exists", image.reference, check=False).returncode:
                self.node.run("podman", "load", "-q", "-i", image.archive)
        self.node.run("podman", "network", "create", "--ignore", "--disable-dns", NETWORK)

    def _call(self, *arguments: str) -> str:
        return self.node.run(*self._podman(), *arguments).stdout.strip()

    def start(self, workload: Workload) -> Running:
        """Run a workload and wait for its word."""
        for need in workload.needs:
            if reason := REFUSALS.get((self.runtime, need)):
                raise Refused(reason)
        name = f"{workload.name}-{self.runtime}-{next(self._numbers)}"
        variables = [f"--env={key}={value}" for key, value in workload.environment]
        image = IMAGES[workload.image].reference
        self._call("run", "-d", "--name", name, *self._options(workload), *variables, image, *workload.argv)
        pid = int(self._call("inspect", "--format", "{{.State.Pid}}", name))
        return wait_for_word(self, Running(name, self.node.pid_outside(pid), workload))

    def _options(self, workload: Workload) -> list[str]:
        options = ["--network", NETWORK if "network" in workload.needs else "none"]
        options += ["--log-driver", "k8s-file", "--stop-timeout", "0"]
        if "user-namespace" in workload.needs:
            options += ["--uidmap", "0:0:65536", "--gidmap", "0:0:65536"]
        if "places" in workload.needs:
            options += ["--tmpfs", "/scratch", "--volume", "/kept"]
        return options

    def address(self, running: Running) -> str:
        """Its address on the bridge."""
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return self._call("inspect", "--format", form, running.id)

    def log(self, running: Running) -> str:
        """What it printed so far."""
        done = self.node.run(*self._podman(), "logs", running.id, check=False)
        return done.stdout + done.stderr

    def checkpoint(self, running: Running, *options: str) -> Path:
        """Export a plain tar; `options` are further ones of `podman container checkpoint`."""
        inside = f"/var/lib/lab/{running.id}-{next(self._numbers)}.tar"
        self.node.run("mkdir", "-p", "/var/lib/lab")
        always = ("--leave-running", "--tcp-established", "--file-locks", "--compress", "none")
        try:
            with thawing(running.pid):
                self._call("container", "checkpoint", *always, "--export", inside, *options, running.id)
        except CommandFailed as error:
            raise LabError(f"{error}\n{self._dump_log(running)}") from None
        return self.node.outside(inside)

    def _dump_log(self, running: Running) -> str:
        folder = self._call("inspect", "--format", "{{.StaticDir}}", running.id)
        log = self.node.outside(folder) / "dump.log"
        return log.read_text(errors="replace")[-3000:] if log.exists() else ""

    def remove(self, running: Running) -> None:
        """End it and take it away."""
        self._call("rm", "--force", "--volumes", "--time", "0", running.id)
