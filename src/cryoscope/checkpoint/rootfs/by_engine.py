"""What engines and runtimes themselves make in every container: devices, links, places for mounts.

OCI runtime-spec, config-linux.md ("Default Devices") and runtime-linux.md ("Dev symbolic links"); cgroup
version 1 has a folder or link a controller; a file or folder has to be there for a mount to go over.
"""

from __future__ import annotations

from collections.abc import Container

from cryoscope.checkpoint.rootfs.records import FileEntry

DEVICES = {
    "/dev/null": "1:3",
    "/dev/zero": "1:5",
    "/dev/full": "1:7",
    "/dev/random": "1:8",
    "/dev/urandom": "1:9",
    "/dev/tty": "5:0",
    "/dev/console": "5:1",
}
LINKS = {
    "/dev/fd": "/proc/self/fd",
    "/dev/stdin": "/proc/self/fd/0",
    "/dev/stdout": "/proc/self/fd/1",
    "/dev/stderr": "/proc/self/fd/2",
    "/dev/core": "/proc/kcore",
    "/dev/ptmx": "pts/ptmx",
    "/etc/mtab": "/proc/mounts",
}
FOLDERS = ("/dev/pts", "/dev/shm", "/dev/mqueue")  # noqa: S108
CGROUPS = "/sys/fs/cgroup"


def made_by_engine(entry: FileEntry, mountpoint: str, mountpoints: Container[bytes]) -> bool:
    """Whether a file of the file system at `mountpoint` is one of those, exactly as engines make it."""
    if entry.type == "chardev":
        return DEVICES.get(entry.path) == entry.device
    if entry.type == "symlink" and LINKS.get(entry.path) == entry.link:
        return True
    if mountpoint == CGROUPS:
        return entry.type in ("directory", "symlink")
    if entry.type == "directory":
        return entry.path in FOLDERS or entry.raw_path in mountpoints
    return entry.size == 0 and entry.raw_path in mountpoints
