"""Where a container's mounts come from on the host, and which of those are the engine's own."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cryoscope.examine.findings.scene import Scene

ENGINES = re.compile(
    r"/var/lib/kubelet/pods/[^/]+/(?:volumes|volume-subpaths|containers|plugins|etc-hosts)"
    r"|.*/(?:containers/storage|storage)/(?:overlay|vfs|btrfs|zfs)?-?(?:containers|volumes|overlay)?/?[^/]+/"
    r"|.*/docker/(?:\d+\.\d+/)?(?:containers|volumes|overlay2|netns)/"
    r"|.*/(?:io\.containerd\.|crio/|crun/|\.empty-directory|libpod/|runc/)"
    r"|/(?:var/)?run/(?:user/\d+/)?(?:netns|containers|crio|secrets)/"
    r"|/proc/\d+/ns/"
)
"""What engines and the kubelet bind in for every container: its hosts file, its volumes, its secrets."""

DISKS = ("ext4", "ext3", "xfs", "btrfs", "zfs", "f2fs")
PSEUDO = ("proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "overlay", "shm", "securityfs")


class HostMount(NamedTuple):
    """A part of the host's file system in the container; `source` is the path on the host."""

    source: str
    destination: str
    read_only: bool


def host_mounts(scene: Scene) -> list[HostMount]:
    """Bind mounts of the runtime's spec; without a spec, what CRIU knows to come from a disk outside.

    CRIU tells the path within the host's file system only, which is the host's path where that is mounted
    at its root.
    """
    found = [
        HostMount(_clean(mount.host_path or mount.source or ""), mount.destination, "ro" in mount.options)
        for mount in scene.container.mounts
        if mount.host_path or _bound(mount.type, mount.options)
    ]
    if not scene.container.mounts:
        found = [
            HostMount(_clean(mount.root), mount.mountpoint, "ro" in mount.flags)
            for mount in scene.checkpoint.mounts
            if mount.external and mount.fstype in DISKS and mount.mountpoint != "/"
        ]
    return [mount for mount in found if mount.source.startswith("/")]


def foreign(scene: Scene) -> list[HostMount]:
    """The host's mounts without those that engines make for every container."""
    return [mount for mount in host_mounts(scene) if not ENGINES.match(mount.source + "/")]


def _bound(kind: str | None, options: list[str]) -> bool:
    return kind == "bind" or (("bind" in options or "rbind" in options) and kind not in PSEUDO)


def _clean(path: str) -> str:
    """A path without `..`, and with /var/run as what it links to."""
    path = posixpath.normpath(path) if path else ""
    return "/run" + path[8:] if path == "/var/run" or path.startswith("/var/run/") else path
