"""What each engine writes into an archive and reads from it: anything else is left out of the copy.

Podman libpod/container_internal_common.go (exportCheckpoint); CRI-O internal/lib/checkpoint.go; containerd
internal/cri/server/container_checkpoint_linux.go; the names in checkpointctl lib/metadata.go.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from cryoscope.checkpoint.criu.images import base_name, by_file_name, raw_image

LOGS = ("ctr.log", "container.log", "io.kubernetes.cri-o.LogPath", "dump.log", "restore.log")
"""What containers and CRIU print: engines copy the container's to where its log is read."""

COMMON = ("stats-dump", "dump.log", "rootfs-diff.tar", "deleted.files", "config.dump", "spec.dump")

MEMBERS = {
    "podman": (*COMMON, "network.status", "devshm-checkpoint.tar", "ctr.log", "volumes/*.tar"),
    "cri": (
        *(*COMMON, "status.dump", "status", "container.log", "bind.mounts", "io.kubernetes.cri-o.LogPath"),
        *("network.status", "devshm-checkpoint.tar"),
    ),
    "docker": (*COMMON, "*.json", "container.log", "ctr.log", "network.status", "volumes/*.tar"),
    "criu": (*COMMON, "process.dump", "*.json"),
}
"""Members by engine, as shell patterns; `*.json` is what this project itself puts beside Docker's images."""

FOLDERS = {
    "podman": ("artifacts", "volumes", "checkpoint", "pre-checkpoint"),
    "cri": ("artifacts", "checkpoint"),
    "docker": ("volumes", "checkpoint"),
    "criu": ("checkpoint", "pre-checkpoint"),
}

BESIDE = (
    "descriptors.json",
    "parent",
    "stats-dump",
    "stats-restore",
    "dump.log",
    "restore.log",
    "irmap-cache",
    "ip_dump.cache",
)
"""What lies among CRIU's images without being one; `parent` leads to the images of a dump before."""

NEEDED = ("config.dump", "spec.dump", "status.dump")
"""Members without which an engine restores nothing: as a link they are no reason to leave them out."""


def known(name: str, engine: str, prefix: str) -> bool:
    """Whether a member is one that the engine's archives have; `prefix` is where the images lie."""
    folder, _, base = name.rpartition("/")
    if name in FOLDERS[engine] or is_image(name, prefix):
        return True
    if base and "/" not in folder and folder in ("", "volumes"):
        return any(fnmatchcase(name, pattern) for pattern in MEMBERS[engine])
    return False


def is_image(name: str, prefix: str) -> bool:
    """Whether a member is one of CRIU's files, of this dump or of one before."""
    folder, _, base = name.rpartition("/")
    if folder not in (prefix.rstrip("/"), "pre-checkpoint"):
        return False
    return base in BESIDE or (
        base.endswith(".img") and (by_file_name(base) or raw_image(base_name(base))) is not None
    )
