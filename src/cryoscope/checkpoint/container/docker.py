"""Docker: a folder of bare CRIU images; who it was is only in the cgroup paths and the host name.

Defined in moby daemon/checkpoint.go; descriptors.json is runc's (libcontainer/criu_linux.go).
"""

from __future__ import annotations

from typing import Any

from cryoscope.checkpoint.container.cgroup import OF_DOCKER, id_in_cgroup, image_member
from cryoscope.checkpoint.container.dumps import Dumps

NAME = "docker"


def recognise(dumps: Dumps) -> str | None:
    """What tells that Docker had the checkpoint made."""
    if any(name in dumps.archive for name in ("config.dump", "spec.dump")):
        return None
    if id_in_cgroup(dumps, OF_DOCKER) is None:
        return None
    return "a docker container's cgroup path in cgroup.img, and no config.dump"


def describe(dumps: Dumps) -> dict[str, Any]:
    """The fields of `Container` that can be told of a Docker checkpoint."""
    runtime = "runc" if image_member(dumps, "descriptors.json") else None
    return {"id": id_in_cgroup(dumps, OF_DOCKER), "runtime": runtime}
