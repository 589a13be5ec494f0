"""The base image of a checkpoint: the archive holds what was changed in it, and its name.

containerd takes config.dump's `rootfsImageRef` as a reference: 2.1 pulls it in any case, later ones look on
the node first; a bare digest, which is what there is for an image that was imported, cannot be pulled.  CRI-O
takes it as the id of an image on the node (checkpointctl, lib/metadata.go).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from cryoscope.engines.cri.abilities import CONTAINERD, Runtime
from cryoscope.engines.cri.client import CallFailed, Client
from cryoscope.engines.cri.refusals import PULL
from cryoscope.engines.port import HARD, NOTE, SOFT, Concern, Record
from cryoscope.text import escape

BARE = re.compile(r"(?:sha256:)?[0-9a-f]{64}\Z")
REFERENCE = re.compile(r"[\w][\w.:/@+-]{0,500}\Z", re.ASCII)
"""What a reference looks like to whom it is only passed on (distribution/reference)."""
LOOKS_FIRST = (2, 2, 0)
"""From which containerd on an image that is on the node is not pulled again."""


class Base(Record, frozen=True, kw_only=True):
    """The base image: `reference` is what config.dump must say instead, `concern` is against it."""

    reference: str | None = None
    concern: Concern | None = None


def base(client: Client, runtime: Runtime, recorded: str, wanted: str | None) -> Base:
    """What a restore will do for the image that the archive recorded, or that the user wants in its place."""
    name = wanted or recorded
    if not REFERENCE.match(name):
        return Base(concern=_missing(HARD, f"{escape(name)[:100]!r} is no name of an image"))
    image = _on_node(client, name)
    if runtime.name != CONTAINERD:
        return _by_id(image, name, recorded)
    reference = _reference(runtime, image, name)
    if reference is None:
        if image is None:
            return Base(concern=_missing(HARD, f"the base image {name[:100]} is not on the node"))
        what = f"the base image {name[:100]} was not pulled from a registry, and containerd would pull it"
        return Base(concern=Concern(code="cri.image-unpullable", weight=HARD, what=what, cure=PULL))
    change = reference if reference != recorded else None
    return Base(reference=change, concern=_pulled(runtime, image, reference))


def _reference(runtime: Runtime, image: Any, name: str) -> str | None:
    """A reference that containerd can use for an image that it has (or None), or that it can pull."""
    if image is None:
        return None if BARE.match(name) else name
    digests = [each for each in image.repo_digests if REFERENCE.match(each)]
    if name in digests or (not BARE.match(name) and runtime.number >= LOOKS_FIRST):
        return name
    tags = [each for each in image.repo_tags if REFERENCE.match(each)]
    return next(iter(digests or (tags if runtime.number >= LOOKS_FIRST else [])), None)


def _pulled(runtime: Runtime, image: Any, reference: str) -> Concern | None:
    if image is None:
        return _missing(SOFT, f"the base image is not on the node: containerd would pull {reference[:200]}")
    if runtime.number < LOOKS_FIRST:
        what = f"containerd {runtime.version} asks the registry of {reference[:200]} for the base image again"
        return Concern(code="cri.image-pulled", weight=NOTE, what=what)
    return None


def _by_id(image: Any, name: str, recorded: str) -> Base:
    if image is None:
        return Base(concern=_missing(HARD, f"the base image {name[:100]} is not on the node"))
    found = image.id.removeprefix("sha256:")
    return Base(reference=found if found != recorded.removeprefix("sha256:") else None)


def _missing(weight: str, what: str) -> Concern:
    return Concern(code="cri.image-missing", weight=weight, what=what, cure=PULL)


def _on_node(client: Client, name: str) -> Any:
    try:
        image = client.call("ImageStatus", image={"image": name}).image
    except CallFailed:
        return None
    return image if image.id else None


def naming(reference: str) -> Any:
    """An edit of config.dump: its base image is `reference`, and no other name is given to that."""

    def edit(data: bytes) -> bytes:
        config = msgspec.json.decode(data)
        if isinstance(config, dict):
            config |= {"rootfsImageRef": reference, "rootfsImageName": reference}
        return msgspec.json.encode(config)

    return edit
