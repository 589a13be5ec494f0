"""Control groups: where each task was, by controller (images/cgroup.proto)."""

from __future__ import annotations

from cryoscope.checkpoint.criu.imageset import ImageSet
from cryoscope.text import readable


def cgroup_sets(images: ImageSet) -> dict[int, dict[str, str]]:
    """Paths by controller (the unified hierarchy is the empty name) of each set of groups."""
    entry = images.first("cgroup.img")
    if entry is None:
        return {}
    return {
        group.id: {readable(member.name): readable(member.path) for member in group.ctls}
        for group in entry.sets
    }
