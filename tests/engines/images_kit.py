"""For tests of images: built inside a node, and given to the tools there."""

from __future__ import annotations

import json
import uuid
from typing import Any

from cryoscope.workflows.image_build import Building, Built, build, target_at
from lab.engines.registry import ADDRESS
from lab.node import Node

IMAGES = "/var/lib/lab/images"


def built(
    node: Node, archive: str, *, tar: bool = False, name: str = "", **how: Any
) -> tuple[str, str, Built]:
    """An image of an archive in a place of its own: its path in the node, its reference, what was built."""
    folder = f"{IMAGES}/{uuid.uuid4().hex[:8]}"
    node.outside(folder).mkdir(parents=True)
    inside = f"{folder}/image.tar" if tar else f"{folder}/image"
    reference = name or "localhost/checkpoint:lab"
    with target_at(str(node.outside(inside))) as target:
        done = build(archive, target, reference=reference, how=Building(**how))
    return inside, reference, done


def pushed(node: Node, layout: str, reference: str, name: str) -> str:
    """Copy an image of a layout, index and all, to the node's registry; returns its name there."""
    to = f"{ADDRESS}/{name}"
    options = ("--quiet", "--all", "--dest-tls-verify=false")
    node.run("skopeo", "copy", *options, f"oci:{layout}:{reference}", f"docker://{to}")
    return to


def inspected(node: Node, *arguments: str) -> Any:
    """What `skopeo inspect` says."""
    return json.loads(node.run("skopeo", "inspect", *arguments).stdout)
