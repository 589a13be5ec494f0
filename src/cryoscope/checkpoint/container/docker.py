"""Docker: a folder of bare CRIU images; who it was is only in the cgroup paths and the host name.

Defined in moby daemon/checkpoint.go; descriptors.json is runc's (libcontainer/criu_linux.go).
"""

from __future__ import annotations

import re
from typing import Any

from cryoscope.checkpoint.container.dumps import Dumps

NAME = "docker"
IN_CGROUP = re.compile(rb"(?:/docker/|docker-)([0-9a-f]{64})")


def recognise(dumps: Dumps) -> str | None:
    """What tells that Docker had the checkpoint made."""
    if _id(dumps) and "config.dump" not in dumps.archive and "spec.dump" not in dumps.archive:
        return "a docker container's cgroup path in cgroup.img, and no config.dump"
    return None


def describe(dumps: Dumps) -> dict[str, Any]:
    """The fields of `Container` that can be told of a Docker checkpoint."""
    return {"id": _id(dumps), "runtime": "runc" if _beside(dumps, "descriptors.json") else None}


def _id(dumps: Dumps) -> str | None:
    name = _beside(dumps, "cgroup.img")
    found = IN_CGROUP.search(dumps.archive.read(name, partial=True)) if name else None
    return found.group(1).decode() if found else None


def _beside(dumps: Dumps, base: str) -> str | None:
    return next((name for name in (base, "checkpoint/" + base) if name in dumps.archive), None)
