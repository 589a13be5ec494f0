"""Control groups of others in cgroup.img, left out.

On a machine with both versions of control groups a container is in none of version 2, that is in its root:
CRIU dumps the whole tree below it, which is everybody's, and on restoring makes all of it again below the new
container's own (criu/cgroup.c, `collect_cgroups`, `prepare_cgroup_dirs`).  Each restore would multiply it.
"""

from __future__ import annotations

from typing import Any

from cryoscope.engines.port import Edit
from cryoscope.engines.vetting.edits import of_image

IMAGE = "checkpoint/cgroup.img"


def without_others() -> Edit:
    """The edit of cgroup.img: nothing below the root of a hierarchy."""
    return of_image(IMAGE, _cut)


def _cut(entry: Any) -> None:
    for controller in entry.controllers:
        for folder in controller.dirs:
            if not bytes(folder.dir_name).strip(b"/"):
                del folder.children[:]
