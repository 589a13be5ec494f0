"""Mounts as CRIU saw them: one record a mount of a mount namespace.

Defined in CRIU's images/mnt.proto; flag bits in linux/mount.h.  Which of them come from outside
the container is told by `external`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cryoscope.checkpoint.criu import names
from cryoscope.checkpoint.criu.imageset import ImageSet
from cryoscope.text import readable, with_bytes

FLAGS = (
    (1 << 0, "ro"),
    (1 << 1, "nosuid"),
    (1 << 2, "nodev"),
    (1 << 3, "noexec"),
    (1 << 4, "sync"),
    (1 << 10, "noatime"),
    (1 << 11, "nodiratime"),
    (1 << 21, "relatime"),
    (1 << 24, "strictatime"),
)


class Mount(msgspec.Struct, frozen=True, omit_defaults=True):
    """One mount: `root` of file system `fstype` on `source` appears at `mountpoint`.

    `external` says that it is bound in from outside the container; `key` is the name CRIU knows
    it by then.
    """

    id: int
    parent_id: int
    mountpoint: str
    root: str
    source: str
    fstype: str
    device: str
    flags: list[str] = []
    options: str = ""
    external: bool = False
    key: str | None = None
    deleted: bool = False
    shared_id: int = 0
    master_id: int = 0
    namespace: int = 0
    mountpoint_base64: str | None = None


def mounts_of(images: ImageSet) -> list[Mount]:
    """The mounts of every mount namespace, parents first within each."""
    found = []
    for image, namespace in images.matching("mountpoints-*"):
        entries = images.messages(image)
        found += [_mount(entry, int(namespace)) for entry in sorted(entries, key=lambda entry: entry.mnt_id)]
    return found


def _mount(entry: Any, namespace: int) -> Mount:
    return Mount(
        id=entry.mnt_id,
        parent_id=entry.parent_mnt_id,
        root=readable(entry.root),
        source=readable(entry.source),
        fstype=readable(entry.fsname) or names.named(entry.fstype, names.FILE_SYSTEMS),
        device=f"{entry.root_dev >> 20}:{entry.root_dev & 0xFFFFF}",
        flags=[name for bit, name in FLAGS if entry.flags & bit] or ["rw"],
        options=readable(entry.options),
        external=bool(entry.ext_mount or entry.ext_key),
        key=readable(entry.ext_key) or None,
        deleted=bool(entry.deleted),
        shared_id=entry.shared_id,
        master_id=entry.master_id,
        namespace=namespace,
        **with_bytes("mountpoint", _path(bytes(entry.mountpoint))),
    )


def _path(mountpoint: bytes) -> bytes:
    """CRIU writes mount points relative to the root of the namespace on some paths (`./proc`)."""
    return b"/" + mountpoint.removeprefix(b"./").removeprefix(b"/")
