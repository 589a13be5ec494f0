"""`image inspect` and `image list`: what an image says of itself, without its layers; what there is.

A place is a layout (folder or tar) of this machine, or an image of a registry by its name.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.errors import UsageError
from cryoscope.images.annotations import CRIO, CRIU, OWN, PODMAN
from cryoscope.images.ports import Descriptor, ImageSource
from cryoscope.images.reading import Told, name_of, told
from cryoscope.text import readable
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, answer
from cryoscope.workflows.image_build import source_of

CHECKPOINTS = {
    "CRI-O": CRIO + "name",
    "containerd": CRIU + "container.name",
    "Podman": PODMAN + "runtime.name",
}
"""The annotation by which each engine knows the image of a checkpoint."""


PATHS = ("/", "./", "../")
"""How no name of an image begins."""


class LayerLine(msgspec.Struct, frozen=True, kw_only=True):
    """A layer: `size` in bytes as it is stored."""

    digest: str
    media_type: str
    size: int


class ImagePart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One image: `digest` of what its name means, `told_by` the engines that take it for a checkpoint.

    `archive_sha256` is what the builder says that the archive was; nothing here is verified but that every
    document is the one that its digest says.
    """

    name: str | None = None
    digest: str
    manifest: str
    platform: str
    created: str | None = None
    told_by: list[str] = []
    archive_sha256: str | None = None
    layers: list[LayerLine] = []
    annotations: dict[str, str] = {}
    labels: dict[str, str] = {}


class NamedImage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A name in a layout, or a tag of a repository, whose digest nobody asked for."""

    name: str | None = None
    digest: str | None = None
    size: int | None = None
    platform: str | None = None


class ImageListPart(Part, frozen=True, kw_only=True):
    """The images of a layout or a repository."""

    images: list[NamedImage]

    def rows(self) -> list[Any]:
        return self.images


def inspect(place: str, name: str | None = None, *, architecture: str | None = None) -> Answer:
    """What an image says of itself; raises `OciError`, and what reaching a registry does."""
    with image_at(place) as source:
        found = told(source, name, architecture=architecture)
    return answer("image", [_part(place, name, found)], [], [])


def listing(place: str) -> Answer:
    """The images of a layout, or the tags of a repository."""
    with image_at(place) as source:
        if hasattr(source, "tags"):
            images = [NamedImage(name=readable(tag)) for tag in source.tags()]
        else:
            images = [_named(each) for each in source.listing().manifests]  # type: ignore[attr-defined]
    return answer("image-list", [ImageListPart(archive=readable(place), images=images)], [], [])


@contextlib.contextmanager
def image_at(place: str) -> Iterator[ImageSource]:
    """A layout of this machine, else a repository of a registry."""
    if place.startswith(PATHS) and not os.path.lexists(place):
        raise UsageError(f"{readable(place)} does not exist", hint="check the path", code="open.missing")
    if os.path.lexists(place):
        with source_of(place) as layout:
            yield layout
    else:
        from cryoscope.workflows.remote import registry_at

        with registry_at(place) as registry:
            yield registry


def _part(place: str, name: str | None, found: Told) -> ImagePart:
    said, config = found.annotations, found.config
    return ImagePart(
        archive=readable(place),
        name=readable(name) if name else None,
        digest=found.target.digest,
        manifest=found.manifest.digest,
        platform=readable(
            "/".join(each for each in (config.os, config.architecture, config.variant) if each)
        ),
        created=readable(config.created) if config.created else None,
        told_by=[engine for engine, key in CHECKPOINTS.items() if key in said],
        archive_sha256=readable(said[OWN + "archive.sha256"]) if OWN + "archive.sha256" in said else None,
        layers=[_layer(each) for each in found.layers],
        annotations=_texts(said),
        labels=_texts((config.config or {}).get("Labels")),
    )


def _layer(descriptor: Descriptor) -> LayerLine:
    return LayerLine(
        digest=readable(descriptor.digest),
        media_type=readable(descriptor.media_type),
        size=descriptor.size,
    )


def _named(descriptor: Descriptor) -> NamedImage:
    name, platform = name_of(descriptor), descriptor.platform
    return NamedImage(
        name=readable(name) if name else None,
        digest=readable(descriptor.digest),
        size=descriptor.size,
        platform=readable(f"{platform.os}/{platform.architecture}") if platform else None,
    )


def _texts(values: Any) -> dict[str, str]:
    """Texts by key, made safe, at most as many as an image may have."""
    pairs = values.items() if isinstance(values, dict) else ()
    texts = [(key, value) for key, value in pairs if isinstance(key, str) and isinstance(value, str)]
    return {readable(key): readable(value) for key, value in texts[: limits.IMAGE_ANNOTATIONS]}
