"""Where things lie in an archive of any engine: the folder of the images, the log."""

from __future__ import annotations

from cryoscope.checkpoint.archive import Archive
from cryoscope.errors import NotACheckpoint

PREFIXES = ("checkpoint/", "")
IMAGES = ("inventory.img", "pstree.img", "core-1.img", "files.img")

LOGS = ("io.kubernetes.cri-o.LogPath", "container.log", "ctr.log", "checkpoint/container.log")
"""The container's own output, by engine: CRI-O (the name is a slip of its own), containerd, Podman."""


def images_prefix(archive: Archive) -> str:
    """The folder of CRIU's images in the archive, with its slash; empty for the top.

    Raises `NotACheckpoint` where there are none.
    """
    for image in IMAGES:
        for prefix in PREFIXES:
            if prefix + image in archive:
                return prefix
        for name in archive.members:
            if name.endswith("/" + image):
                return name.removesuffix(image)
    raise NotACheckpoint(
        f"no checkpoint in it: none of its {len(archive.members)} members is a CRIU image",
        hint="expected inventory.img, alone or in checkpoint/; `cryoscope ls` shows what is there",
    )
