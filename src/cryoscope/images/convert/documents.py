"""The JSON documents beside the images, read for a conversion and written again."""

from __future__ import annotations

from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.container.dumps import string_map
from cryoscope.errors import Refused

CONFIG, SPEC, STATUS = "config.dump", "spec.dump", "status.dump"
CONTAINERD = "io.containerd.runc.v2"
"""containerd's name for runc (core/runtime/v2, shim names)."""


def document(checkpoint: Checkpoint, name: str) -> dict[str, Any]:
    """A JSON object of the archive; raises `Refused` `image.convert-document`."""
    try:
        found = msgspec.json.decode(checkpoint.archive.read(name, limit=limits.JSON_DOCUMENT))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refused(
            f"{name} cannot be read, and the other engine needs what is in it",
            hint="take the checkpoint again",
            code="image.convert-document",
        )
    return found


def encoded(value: Any) -> bytes:
    """JSON on one line, as containerd writes it."""
    return msgspec.json.encode(value)


def text(value: Any) -> str:
    """JSON inside a string, as CRI-O keeps it in annotations."""
    return msgspec.json.encode(value).decode()


def annotations_of(spec: dict[str, Any]) -> dict[str, str]:
    """The annotations of a runtime specification."""
    return string_map(spec.get("annotations"))


def demand_runc(checkpoint: Checkpoint) -> None:
    """Raises `Refused` `image.convert-runtime` unless runc made the images: crun restores its own only."""
    runtime = checkpoint.container.runtime or "an unknown runtime"
    if runtime not in ("runc", CONTAINERD):
        raise Refused(
            f"{runtime} made the images, and runc does not restore those",
            hint="use a node with the same engine and runtime",
            code="image.convert-runtime",
        )


def unmade(checkpoint: Checkpoint, made: frozenset[str]) -> list[str]:
    """A note of the mounts that the other engine does not make itself: a pod must declare them."""
    missing = [mount.destination for mount in checkpoint.container.mounts if mount.destination not in made]
    return [f"the pod must mount something at {', '.join(missing)}"] if missing else []
