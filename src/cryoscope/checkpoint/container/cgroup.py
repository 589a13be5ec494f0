"""Container ids in cgroup paths: engines name the groups of a container after its id."""

from __future__ import annotations

import re

from cryoscope.checkpoint.container.dumps import Dumps

OF_DOCKER = re.compile(rb"(?:/docker/|docker-)([0-9a-f]{64})")
OF_ANY = re.compile(rb"[/-]([0-9a-f]{64})(?:\.scope|[^0-9a-f]|$)")
MOST = 1 << 20


def id_in_cgroup(dumps: Dumps, pattern: re.Pattern[bytes]) -> str | None:
    """The first id that `pattern` finds in cgroup.img (images/cgroup.proto), read as plain bytes."""
    name = image_member(dumps, "cgroup.img")
    found = pattern.search(dumps.archive.read_at(name, 0, MOST)) if name else None
    return found.group(1).decode() if found else None


def image_member(dumps: Dumps, base: str) -> str | None:
    """Where in the archive an image lies: beside everything else, or in checkpoint/."""
    return next((name for name in (base, "checkpoint/" + base) if name in dumps.archive), None)
