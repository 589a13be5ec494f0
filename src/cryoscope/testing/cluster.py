"""A small cluster that the doubles of kubelet and API server answer from: nodes, pods, users, faults.

Tests set its fields while servers run; what a field does is what a real cluster did when it was so.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from cryoscope.testing.wire import Request

ANONYMOUS = "system:anonymous"
ROOT = "/var/lib/kubelet"
CLIENT = "kube-apiserver-kubelet-client"


@dataclasses.dataclass
class User:
    """Who asks.  `rights` are pairs of verb and resource ("create", "nodes/checkpoint"), or ("*", "*").

    As in RBAC, "nodes/*" is no pattern.
    """

    name: str
    rights: set[tuple[str, str]] = dataclasses.field(default_factory=set)
    token: str | None = None

    def may(self, verb: str, resource: str) -> bool:
        """Whether a rule allows it."""
        return ("*", "*") in self.rights or (verb, resource) in self.rights


@dataclasses.dataclass
class Container:
    """A container of a pod; `kind` is "container", "init" or "ephemeral", `state` as in its status.

    `connected` has it hold an open TCP connection; the next `busy` checkpoints find another under way.
    """

    name: str
    id: str = "0" * 64
    kind: str = "container"
    state: str = "running"
    image: str = "localhost/busybox:1.37"
    connected: bool = False
    busy: int = 0
    probe: bool = False
    runtime: str = "/usr/sbin/runc"


@dataclasses.dataclass
class Pod:
    """A pod on a node."""

    namespace: str
    name: str
    node: str
    containers: list[Container]
    uid: str = "66b398fd-bd37-40e9-a1d6-48b3521841ae"
    volumes: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Node:
    """A node: its kubelet and runtime, and what is wrong with them.

    `runtime` is "containerd" or "cri-o".  `address` and `port` are what the API server tells of it.
    `gate` is the feature gate, `anonymous` whether callers without credentials get as far as being refused,
    `criu` whether the program is there, `criu_support` CRI-O's switch, `libcriu` crun's library.
    `request_timeout` is the kubelet's runtimeRequestTimeout in seconds.
    `fault` is what the runtime says to every checkpoint, `answer` what the kubelet says instead of a path.
    `architecture`, `kernel` and `ready` are as the node says.
    """

    name: str
    runtime: str = "containerd"
    version: str = "2.1.9"
    kubelet: str = "v1.36.2"
    address: str = "127.0.0.1"
    port: int = 10250
    root: str = ROOT
    gate: bool = True
    anonymous: bool = False
    criu: bool = True
    criu_support: bool = True
    libcriu: bool = True
    disk_full: bool = False
    hangs: bool = False
    silent: bool = False
    late: float = 0.0
    request_timeout: float = 120.0
    fault: str | None = None
    answer: bytes | None = None
    pinned: float | None = None
    architecture: str = "amd64"
    kernel: str = "6.18.44"
    ready: bool = True

    @property
    def said_runtime(self) -> str:
        """As in its nodeInfo."""
        return f"{self.runtime}://{self.version}"


@dataclasses.dataclass
class CheckpointImage:
    """A checkpoint in a registry: who made it, its base image, the mounts that it had."""

    engine: str
    base: str = "registry.example/busybox@sha256:" + "ab" * 32
    mounts: tuple[str, ...] = ()


@dataclasses.dataclass
class Cluster:
    """All of it.  `client` is the user that the API server is at the kubelets.

    `images` are those that nodes can pull, `namespaces` those that are there (None: any); `admission` says
    why a new object is not let in (user, object), None if it is.
    """

    nodes: dict[str, Node] = dataclasses.field(default_factory=dict)
    pods: list[Pod] = dataclasses.field(default_factory=list)
    users: dict[str, User] = dataclasses.field(default_factory=dict)
    objects: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    images: dict[str, CheckpointImage] = dataclasses.field(default_factory=dict)
    namespaces: set[str] | None = None
    admission: Callable[[str, dict[str, Any]], str | None] = lambda _user, _object: None
    client: str = CLIENT
    clock: Callable[[], float] = time.time

    def add(self, *things: Node | Pod | User) -> None:
        """Add them."""
        for thing in things:
            if isinstance(thing, Node):
                self.nodes[thing.name] = thing
            elif isinstance(thing, Pod):
                self.pods.append(thing)
            else:
                self.users[thing.name] = thing

    def pod(self, namespace: str, name: str, node: str | None = None) -> Pod | None:
        """The pod of a name, on a node."""
        for pod in self.pods:
            if (pod.namespace, pod.name) == (namespace, name) and node in (None, pod.node):
                return pod
        return None

    def user(self, request: Request) -> User | None:
        """Who sends a request; None for a token that nobody has."""
        if request.token is not None:
            return next((user for user in self.users.values() if user.token == request.token), None)
        name = request.person or ANONYMOUS
        return self.users.get(name) or User(name)
