"""Bare CRIU: a folder of images and nothing else; whatever else it is, it can be read."""

from __future__ import annotations

from typing import Any

from cryoscope.checkpoint.container.cgroup import OF_ANY, id_in_cgroup
from cryoscope.checkpoint.container.dumps import Dumps

NAME = "criu"


def recognise(dumps: Dumps) -> str | None:
    """Always: what no engine claims is CRIU's own."""
    wrote = [name for name in ("config.dump", "spec.dump") if name in dumps.archive]
    return f"no engine known from {' and '.join(wrote)}" if wrote else "CRIU images without an engine's files"


def describe(dumps: Dumps) -> dict[str, Any]:
    """What an unknown engine's config.dump says in the fields that all share; else the id of its cgroup."""
    return {
        "id": dumps.text("config.dump", "id") or id_in_cgroup(dumps, OF_ANY),
        "name": dumps.text("config.dump", "name"),
        "image": dumps.text("config.dump", "rootfsImageName"),
        "runtime": dumps.text("config.dump", "runtime"),
    }
