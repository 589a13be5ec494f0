"""The network of a sandbox: an empty container without one, whose namespace the restored container joins.

Docker cannot restore into a network namespace of its own (it looks for it before there is a process), only
into the host's or another container's.  Whether the empty one has no network is asked of the kernel, not of
the daemon.
"""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from typing import Any

from cryoscope.engines.docker.daemon import Daemon
from cryoscope.engines.docker.pause import NAME, layer
from cryoscope.engines.docker.troubles import DockerError
from cryoscope.engines.host import Host
from cryoscope.engines.port import EngineError
from cryoscope.errors import Refused

REPOSITORY, TAG = "cryoscope/empty-network", "1"
LABEL = "cryoscope.sandbox"
LOOPBACK = {"lo"}
HOLDER = "-network"
"""What the name of the empty container ends in."""


class Network:
    """An empty container: its id, and the inode of its network namespace."""

    def __init__(self, id_: str, inode: int) -> None:
        self.id, self.inode = id_, inode


def open_network(daemon: Daemon, host: Host, name: str) -> Network:
    """Start the empty container of the sandbox `name`; raises `Refused` if it has a network after all."""
    config = {
        "Image": _image(daemon),
        "Entrypoint": ["/" + NAME],
        "Labels": {LABEL: name},
        "HostConfig": {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "Memory": 16 << 20,
            "PidsLimit": 4,
            "SecurityOpt": ["no-new-privileges"],
        },
    }
    id_ = str(daemon.ask("POST", "/containers/create", config, name=name + HOLDER)["Id"])
    try:
        daemon.ask("POST", f"/containers/{id_}/start")
        return Network(id_, _probed(daemon, host, id_))
    except BaseException:
        with suppress(EngineError):
            daemon.ask("DELETE", f"/containers/{id_}", force="1", v="1")
        raise


def _image(daemon: Daemon) -> str:
    """The image of the empty container, made where it is not there."""
    reference = f"{REPOSITORY}:{TAG}"
    try:
        daemon.ask("GET", f"/images/{reference}/json")
    except DockerError:
        data = layer(platform.machine())
        if data is None:
            raise _refused(f"there is no empty container for {platform.machine()}") from None
        daemon.put("/images/create", [data], method="POST", fromSrc="-", repo=REPOSITORY, tag=TAG)
    return reference


def _probed(daemon: Daemon, host: Host, id_: str) -> int:
    state: Any = daemon.ask("GET", f"/containers/{id_}/json")["State"]
    pid = host.pid(int(state.get("Pid") or 0)) if state.get("Running") else None
    if pid is None:
        raise _refused("the empty container does not run, or its process cannot be seen from here")
    inode = inode_of(pid)
    if inode in (inode_of(os.getpid()), inode_of(host.process or 1)):
        raise _refused("the empty container has the network of the host")
    if devices_of(pid) - LOOPBACK:
        raise _refused("the empty container has network devices")
    return inode


def inode_of(pid: int) -> int:
    """The inode that names the network namespace of a process (namespaces(7))."""
    return os.stat(f"/proc/{pid}/ns/net").st_ino


def devices_of(pid: int) -> set[str]:
    """The network devices that a process sees (proc(5), net/dev: two lines of titles)."""
    with open(f"/proc/{pid}/net/dev") as table:
        return {line.partition(":")[0].strip() for line in [*table][2:]}


def _refused(why: str) -> Refused:
    return Refused(
        f"docker cannot make a sandbox without network here: {why}",
        hint="restore with podman, or with --live on a machine that may be lost",
        code="docker.sandbox-network",
    )
