"""libpod's JSON in an archive, and the few questions that several ask of it.

config.dump is libpod's `ContainerConfig` (podman libpod/container_config.go), spec.dump the OCI runtime spec.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.container.dumps import objects, strings, take
from cryoscope.engines.port import Edit, EngineError, Record
from cryoscope.errors import CryoscopeError
from cryoscope.text import escape

CONFIG, SPEC, NETWORK = "config.dump", "spec.dump", "network.status"
ROOTFS, DELETED, VOLUMES = "rootfs-diff.tar", "deleted.files", "volumes"
PRIVATE = ("network", "pid", "ipc", "uts", "mount")
"""Namespaces that a sandbox has of its own."""


class Volume(Record, frozen=True, kw_only=True):
    """A named volume: where it is mounted."""

    name: str
    destination: str


class Documents:
    """config.dump and spec.dump of one archive; raises `EngineError` where they are no such thing."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.config = _read(checkpoint, CONFIG)
        self.spec = _read(checkpoint, SPEC)

    def text(self, *path: str) -> str:
        """A string of config.dump; empty if there is none."""
        return take(self.config, *path, kind=str) or ""

    @property
    def volumes(self) -> list[Volume]:
        """Named volumes, whose contents are in the archive unless they were left out."""
        found = objects(take(self.config, "namedVolumes", kind=list))
        return [
            Volume(
                name=take(each, "volumeName", kind=str) or "", destination=take(each, "dest", kind=str) or ""
            )
            for each in found
        ]

    @property
    def mounts(self) -> list[dict[str, Any]]:
        """The mounts of the spec."""
        return objects(take(self.spec, "mounts", kind=list))

    @property
    def shared_with_host(self) -> list[str]:
        """Kinds of namespaces that the container had none of its own of."""
        own = {
            take(each, "type", kind=str)
            for each in objects(take(self.spec, "linux", "namespaces", kind=list))
        }
        return [kind for kind in PRIVATE if kind not in own]

    @property
    def has_network(self) -> bool:
        """Whether libpod made its network namespace; else the runtime, with a loopback alone, or nobody."""
        return take(self.config, "createNetNS", kind=bool) is True

    @property
    def deleted(self) -> list[str]:
        """Files of the image that the container had deleted."""
        if DELETED not in self.checkpoint.archive:
            return []
        return strings(_decoded(self.checkpoint.archive.read(DELETED, limit=limits.JSON_DOCUMENT), DELETED))


def connections(checkpoint: Checkpoint) -> int:
    """TCP connections that are open or closing: those CRIU must be told what to do with."""
    idle = ("LISTEN", "CLOSE", None)
    sockets = (held.socket for held in checkpoint.sockets)
    return sum((each.protocol or "").startswith("tcp") and each.state not in idle for each in sockets)


def connected_datagrams(checkpoint: Checkpoint) -> int:
    """UDP sockets with a peer, which CRIU connects again: there must be a way to it already."""
    sockets = (held.socket for held in checkpoint.sockets)
    return sum((each.protocol or "").startswith("udp") and each.remote is not None for each in sockets)


def edit(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Edit:
    """An edit of a JSON object."""

    def apply(data: bytes) -> bytes:
        return msgspec.json.encode(change(_object(data, "a document")))

    return apply


def _read(checkpoint: Checkpoint, name: str) -> dict[str, Any]:
    try:
        return _object(checkpoint.archive.read(name, limit=limits.JSON_DOCUMENT), name)
    except EngineError:
        raise
    except CryoscopeError as error:
        raise _foreign(name, error.message) from None


def _object(data: bytes, name: str) -> dict[str, Any]:
    found = _decoded(data, name)
    if not isinstance(found, dict):
        raise _foreign(name, "is no JSON object")
    return found


def _decoded(data: bytes, name: str) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _foreign(name, f"is no JSON: {error}") from None


def _foreign(name: str, problem: str) -> EngineError:
    return EngineError(
        f"{name}: {escape(problem)[:300]}",
        hint="Podman restores archives that Podman wrote; restore this one with the engine it comes from",
        code="podman.archive",
    )
