"""Docker in a node: its daemon with a containerd of its own, driven through its API.

The requests are those of moby's api/swagger.yaml.  Checkpoints are an experimental feature there, and are
made by CRIU through runc, which takes further options from a file of its own (`runc.conf`).
"""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import time
from pathlib import Path
from typing import Any, BinaryIO

from lab.engines.freezer import thawing
from lab.engines.port import CRIU_OPTIONS, RUNC_CONF, Refused, Running, wait_for_word
from lab.errors import LabError
from lab.node import Node
from lab.workloads import IMAGES, Workload

SOCKET = "/run/docker.sock"
DATA = "/var/lib/docker"
CHECKPOINTS = "/var/lib/lab/docker"
PATIENCE = 20.0
"""Seconds that a checkpoint has to get past the daemon's race."""
STREAM_HEADER = 8
"""Bytes before each piece of a log: the stream, three zeros, the big-endian size (`ContainerAttach`)."""
UNABLE = {"user-namespace": "docker maps users for a whole daemon (userns-remap), not for one container"}


class ApiError(LabError):
    """The daemon answered with an error; the message is its own."""


class Docker:
    """dockerd in a node; its images are loaded when a workload asks for them."""

    name = "docker"

    def __init__(self, node: Node) -> None:
        self.node = node
        self._loaded: set[str] = set()
        self._numbers = itertools.count(1)
        conf = node.outside(RUNC_CONF)
        conf.parent.mkdir(parents=True, exist_ok=True)
        conf.write_text(CRIU_OPTIONS)
        # Where dockerd has to switch forwarding on, it drops what the other engines' bridges forward.
        node.sh("echo 1 > /proc/sys/net/ipv4/ip_forward")
        places = (f"--data-root={DATA}", f"--host=unix://{SOCKET}")
        node.service("dockerd", "--experimental", "--storage-driver=overlay2", *places, ready=self._answers)

    def start(self, workload: Workload) -> Running:
        """Run a workload and wait until it has printed its word; raises `Refused` or `LabError`."""
        for need in sorted(workload.needs & UNABLE.keys()):
            raise Refused(UNABLE[need])
        id_ = self._ask("POST", "/containers/create", self._config(workload))["Id"]
        self._ask("POST", f"/containers/{id_}/start")
        return wait_for_word(self, Running(id_, self._pid(id_), workload))

    def log(self, running: Running) -> str:
        """What the workload printed so far, on both streams."""
        body = self._bytes("GET", f"/containers/{running.id}/logs?stdout=1&stderr=1")
        said, at = b"", 0
        while at < len(body):
            size = int.from_bytes(body[at + 4 : at + STREAM_HEADER], "big")
            said += body[at + STREAM_HEADER : at + STREAM_HEADER + size]
            at += STREAM_HEADER + size
        return said.decode(errors="replace")

    def checkpoint(self, running: Running) -> Path:
        """Checkpoint it and leave it running; returns the folder, which holds CRIU's images alone."""
        name = f"lab{next(self._numbers)}"
        request = {"CheckpointID": name, "Exit": False}
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with thawing(running.pid):
                    self._ask("POST", f"/containers/{running.id}/checkpoints", request)
                return self._kept(f"{DATA}/containers/{running.id}/checkpoints/{name}", name)
            except ApiError as error:
                # The daemon hands the images to its containerd and trips over an upload that is not over.
                if "already exists" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _kept(self, folder: str, name: str) -> Path:
        """A checkpoint where the end of its container does not take it away."""
        self.node.run("mkdir", "-p", CHECKPOINTS)
        self.node.run("cp", "-a", folder, f"{CHECKPOINTS}/{name}")
        return self.node.outside(f"{CHECKPOINTS}/{name}")

    def address(self, running: Running) -> str:
        """Its address on the bridge."""
        found = self._ask("GET", f"/containers/{running.id}/json")["NetworkSettings"]["Networks"]
        return str(found["bridge"]["IPAddress"])

    def remove(self, running: Running) -> None:
        """End it and take it away."""
        self._ask("DELETE", f"/containers/{running.id}?force=1&v=1")

    def _config(self, workload: Workload) -> dict[str, Any]:
        return {
            "Image": self._image(workload.image),
            "Entrypoint": list(workload.argv),
            "Env": [f"{name}={value}" for name, value in workload.environment],
            # What runs in a network namespace of its own, docker checkpoints but cannot restore.
            "HostConfig": {
                "NetworkMode": "bridge" if "network" in workload.needs else "host",
                "Tmpfs": {"/scratch": ""} if "places" in workload.needs else {},
            },
        }

    def _image(self, name: str) -> str:
        """The name of an image that is loaded."""
        image = IMAGES[name]
        if name not in self._loaded:
            with open(self.node.outside(image.archive), "rb") as archive:
                self._bytes("POST", "/images/load?quiet=1", archive)
            self._loaded.add(name)
        return image.reference

    def _pid(self, id_: str) -> int:
        return self.node.pid_outside(self._ask("GET", f"/containers/{id_}/json")["State"]["Pid"])

    def _answers(self) -> bool:
        try:
            return self._bytes("GET", "/_ping") == b"OK"
        except (OSError, http.client.HTTPException, ApiError):
            return False

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        """Make a request, of JSON for JSON."""
        answer = self._bytes(method, path, None if body is None else json.dumps(body).encode())
        return json.loads(answer) if answer else None

    def _bytes(self, method: str, path: str, body: bytes | BinaryIO | None = None) -> bytes:
        """Make a request; raises `ApiError` with the daemon's message."""
        connection = _Connection(self.node.outside(SOCKET))
        kind = "application/json" if isinstance(body, bytes) else "application/x-tar"
        try:
            connection.request(method, path, body, {"Content-Type": kind})
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status >= http.client.BAD_REQUEST:
            raise ApiError(f"docker: {method} {path}: {answer.decode(errors='replace').strip()}")
        return answer


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("docker", timeout=120)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
