"""A client of the Container Runtime Interface (kubernetes/cri-api, pkg/apis/runtime/v1/api.proto).

It talks to a relay in the node (`cri_relay`), which has gRPC; the messages are made here.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from lab.engines.cri_wire import Message
from lab.errors import LabError
from lab.node import Node

RELAY = "/run/lab-cri.sock"
TIMEOUT = 120.0
POD, CONTAINER, NODE = 0, 1, 2
"""`NamespaceMode`: whose namespace a container has."""
RUNNING = 1
"""`ContainerState`."""

TEXTS = Message(key=1, value=2)
"""A map's entry, and `KeyValue`."""
METADATA = Message(name=1, attempt=2)
POD_METADATA = Message(name=1, uid=2, namespace=3, attempt=4)
IMAGE = Message(image=1, user_specified_image=18)
IDS = Message(host_id=1, container_id=2, length=3)
USERS = Message(mode=1, uids=(2, IDS), gids=(3, IDS))
NAMESPACES = Message(network=1, pid=2, ipc=3, userns_options=(5, USERS))
PROFILE = Message(profile_type=1)
POD_SECURITY = Message(namespace_options=(1, NAMESPACES), seccomp=(9, PROFILE))
SECURITY = Message(namespace_options=(3, NAMESPACES), seccomp=(15, PROFILE))
POD_LINUX = Message(security_context=(2, POD_SECURITY))
LINUX = Message(security_context=(2, SECURITY))
POD_CONFIG = Message(
    metadata=(1, POD_METADATA),
    log_directory=3,
    labels=(6, TEXTS),
    annotations=(7, TEXTS),
    linux=(8, POD_LINUX),
)
CONFIG = Message(
    metadata=(1, METADATA),
    image=(2, IMAGE),
    command=3,
    envs=(6, TEXTS),
    labels=(9, TEXTS),
    annotations=(10, TEXTS),
    log_path=11,
    linux=(15, LINUX),
)
ID = Message(id=1)
"""Requests and answers with the id of a container, a pod or an image in their first field."""
STATUS = Message(status=(1, Message(state=3)), info=(2, TEXTS))
POD_STATUS = Message(status=(1, Message(network=(5, Message(ip=1)))))


class CallFailed(LabError):
    """The server answered with an error: gRPC's name for it in `status`, the server's words in `said`."""

    def __init__(self, method: str, status: str, said: str) -> None:
        super().__init__(f"{method}: {status}: {said}")
        self.status = status
        self.said = said


def texts(values: dict[str, str]) -> list[dict[str, str]]:
    """A map as its field holds it."""
    return [{"key": key, "value": value} for key, value in values.items()]


class Cri:
    """The calls that the lab makes of a runtime that listens on a unix socket of the node."""

    def __init__(self, node: Node, server: str) -> None:
        self._socket = node.outside(RELAY)
        source = Path(__file__).with_name("cri_relay.py").read_text()
        node.service("python3", "-c", source, RELAY, server, ready=self._socket.exists)

    def answers(self) -> bool:
        """Whether the runtime answers by now."""
        try:
            self._call("Version")
        except (CallFailed, OSError):
            return False
        return True

    def pull(self, image: str) -> str:
        """Pull an image; returns the id that it has with the runtime."""
        request = Message(image=(1, IMAGE)).encode({"image": {"image": image}})
        return _id(self._call("PullImage", request, service="ImageService"))

    def run_pod(self, config: dict[str, Any]) -> str:
        """Start a pod sandbox; returns its id."""
        request = Message(config=(1, POD_CONFIG)).encode({"config": config})
        return _id(self._call("RunPodSandbox", request))

    def pod_address(self, pod: str) -> str:
        """The address of a pod sandbox."""
        status = POD_STATUS.decode(self._call("PodSandboxStatus", ID.encode({"id": pod})))["status"][0]
        return str(status["network"][0]["ip"][0], "ascii")

    def create(self, pod: str, config: dict[str, Any], pod_config: dict[str, Any]) -> str:
        """Create a container in a pod; returns its id."""
        kind = Message(pod=1, config=(2, CONFIG), pod_config=(3, POD_CONFIG))
        request = kind.encode({"pod": pod, "config": config, "pod_config": pod_config})
        return _id(self._call("CreateContainer", request))

    def start(self, container: str) -> None:
        """Start a container."""
        self._call("StartContainer", ID.encode({"id": container}))

    def status(self, container: str) -> tuple[int, dict[str, Any]]:
        """A container's state, and what the runtime tells of it beyond the interface, such as its `pid`."""
        request = Message(container=1, verbose=2).encode({"container": container, "verbose": 1})
        answer = STATUS.decode(self._call("ContainerStatus", request))
        more = {one["key"][0]: one["value"][0] for one in answer["info"]}
        state = answer["status"][0]["state"]
        return (state[0] if state else 0), json.loads(more.get(b"info", b"{}"))

    def checkpoint(self, container: str, location: str) -> None:
        """Write a checkpoint of a container into the file `location` and leave it running."""
        request = Message(container=1, location=2).encode({"container": container, "location": location})
        self._call("CheckpointContainer", request)

    def remove(self, container: str) -> None:
        """Kill a container and remove it."""
        self._call("StopContainer", ID.encode({"id": container}))
        self._call("RemoveContainer", ID.encode({"id": container}))

    def remove_pod(self, pod: str) -> None:
        """End a pod sandbox and remove it with what is in it."""
        self._call("StopPodSandbox", ID.encode({"id": pod}))
        self._call("RemovePodSandbox", ID.encode({"id": pod}))

    def _call(self, method: str, request: bytes = b"", service: str = "RuntimeService") -> bytes:
        """One call through the relay; raises `CallFailed` with the runtime's words."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(TIMEOUT)
            connection.connect(str(self._socket))
            connection.sendall(f"/runtime.v1.{service}/{method}\n".encode() + request)
            connection.shutdown(socket.SHUT_WR)
            status, _, answer = connection.makefile("rb").read().partition(b"\n")
        if status != b"OK":
            raise CallFailed(method, status.decode(), answer.decode(errors="replace"))
        return answer


def _id(answer: bytes) -> str:
    return str(ID.decode(answer)["id"][0], "utf-8")
