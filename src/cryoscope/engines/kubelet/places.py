"""Pods, containers and nodes as the API server describes them, read as what they are: a stranger's JSON.

Pod and node: https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.36/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cryoscope.engines.kubelet.place import PORT
from cryoscope.engines.port import Record
from cryoscope.text import readable

Object = dict[str, Any]
KINDS = {
    "container": ("containers", "containerStatuses"),
    "init": ("initContainers", "initContainerStatuses"),
    "ephemeral": ("ephemeralContainers", "ephemeralContainerStatuses"),
}
"""Where a pod's spec and status have its containers, in the order in which the kubelet looks."""
STATES = {"running": "running", "waiting": "created", "terminated": "exited"}
ID = re.compile(r"[a-z0-9-]{1,32}://([0-9a-f]{12,128})\Z")
"""containerd://HEX, cri-o://HEX."""
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")


class Found(Record, frozen=True, kw_only=True):
    """A container of a pod; `id` is empty before its first start."""

    name: str
    kind: str
    state: str
    id: str = ""
    image: str = ""
    probed: bool = False


class Address(Record, frozen=True, kw_only=True):
    """Where a node's kubelet listens."""

    host: str
    port: int = PORT


def part(value: object, *path: str) -> Any:
    """What lies at `path` in nested objects; {} where something on the way is none."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return {} if value is None else value


def word(value: object, *path: str) -> str:
    """A text in nested objects; empty if it is none."""
    found = part(value, *path)
    return readable(found)[:1024] if isinstance(found, str) else ""


def each(value: object, *path: str) -> Iterator[Object]:
    """The objects of a list in nested objects."""
    found = part(value, *path)
    yield from (item for item in (found if isinstance(found, list) else []) if isinstance(item, dict))


def containers(pod: Object) -> list[Found]:
    """The containers of a pod's spec, with what its status knows of them."""
    return [
        _found(kind, item, {word(status, "name"): status for status in each(pod, "status", statuses)})
        for kind, (specs, statuses) in KINDS.items()
        for item in each(pod, "spec", specs)
        if NAME.match(word(item, "name"))
    ]


def _found(kind: str, item: Object, statuses: dict[str, Object]) -> Found:
    name = word(item, "name")
    status = statuses.get(name, {})
    state = part(status, "state")
    known = next(
        (ours for theirs, ours in STATES.items() if isinstance(state, dict) and theirs in state), "unknown"
    )
    identity = ID.match(word(status, "containerID"))
    return Found(
        name=name,
        kind=kind,
        state=known,
        id=identity.group(1) if identity else "",
        image=word(status, "image") or word(item, "image"),
        probed=bool(part(item, "livenessProbe")),
    )


def volumes(pod: Object) -> list[str]:
    """The names of a pod's volumes, whose contents no checkpoint of a kubelet holds."""
    return [word(volume, "name") for volume in each(pod, "spec", "volumes")]


def address(node: Object) -> Address | None:
    """Where a node's kubelet listens: its internal address, else any other; None if it has none."""
    known = {word(item, "type"): word(item, "address") for item in each(node, "status", "addresses")}
    order = ("InternalIP", "ExternalIP", "InternalDNS", "Hostname")
    host = next((known[kind] for kind in order if known.get(kind)), "")
    port = part(node, "status", "daemonEndpoints", "kubeletEndpoint", "Port")
    if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", host):
        return None
    return Address(host=host, port=port if isinstance(port, int) and 0 < port < 65536 else PORT)
