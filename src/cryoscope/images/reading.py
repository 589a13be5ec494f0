"""An image as it is told by its documents: names, manifests for a platform, config, layers.

OCI image-spec 1.1 (image-index.md, manifest.md, config.md), Docker's schema 2 of the same shape.  Every
document is bounded, and is what the digest says that led to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import ByteSource
from cryoscope.images.ports import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    INDEX,
    MANIFEST,
    Descriptor,
    ImageSource,
    OciError,
)
from cryoscope.text import readable

REF_NAME, CONTAINERD_NAME = "org.opencontainers.image.ref.name", "io.containerd.image.name"
T = TypeVar("T")
HEX = frozenset("0123456789abcdef")
DEPTH = 4
"""Indexes in indexes: a layout's, the image's; nobody has made three."""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """An index."""

    manifests: list[Descriptor] = []
    annotations: dict[str, str] = {}


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest."""

    config: Descriptor
    layers: list[Descriptor] = []
    annotations: dict[str, str] = {}


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a config; `config` holds labels, command, environment."""

    architecture: str = ""
    os: str = ""
    variant: str = ""
    created: str | None = None
    config: dict[str, Any] | None = None
    rootfs: dict[str, Any] | None = None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An image: what its name leads to, the manifest chosen, its config.

    `annotations` are those of the index overridden by the manifest's.
    """

    target: Descriptor
    manifest: Descriptor
    config: Config
    layers: list[Descriptor]
    annotations: dict[str, str]


def told(source: ImageSource, reference: str | None, *, architecture: str | None = None) -> Told:
    """What the documents of an image say; of several platforms the one given, else the first.

    Raises `OciError` `image.document`, `image.digest`, `image.platform`, `image.blob-missing`.
    """
    target, data = source.resolve(reference)
    found, annotations = target, dict[str, str]()
    for _ in range(DEPTH):
        if found.media_type not in (INDEX, DOCKER_LIST):
            break
        inner = listing(data)
        annotations |= inner.annotations
        found = _for_platform(inner.manifests, architecture)
        annotations |= found.annotations or {}
        data = document(source, found)
    if found.media_type not in (MANIFEST, DOCKER_MANIFEST):
        raise OciError(f"{readable(found.media_type)} is no manifest of an image", code="image.document")
    manifest = decoded(data, Manifest, "manifest")
    config = decoded(document(source, manifest.config), Config, "config")
    return Told(
        target=target,
        manifest=found,
        config=config,
        layers=manifest.layers[: limits.IMAGE_PARTS],
        annotations=annotations | manifest.annotations,
    )


def document(source: ImageSource, descriptor: Descriptor) -> bytes:
    """A small blob, whole, that is what its digest says."""
    if descriptor.size > limits.REGISTRY_DOCUMENT:
        raise _too_large(descriptor)
    opened: ByteSource = source.blob(descriptor)
    try:
        return checked(opened.read_at(0, limits.REGISTRY_DOCUMENT + 1), descriptor)
    finally:
        opened.close()


def checked(data: bytes, descriptor: Descriptor) -> bytes:
    """Bytes that have the digest that they should; raises `OciError` `image.digest`."""
    if len(data) > limits.REGISTRY_DOCUMENT:
        raise _too_large(descriptor)
    if "sha256:" + hashlib.sha256(data).hexdigest() != descriptor.digest:
        raise OciError(
            f"the bytes of {readable(descriptor.digest)} are others than its digest says",
            hint="the image was altered or damaged: take it from where it was made",
            code="image.digest",
        )
    return data


def listing(data: bytes) -> Listing:
    """An index; raises `OciError` `image.document`."""
    found = decoded(data, Listing, "index")
    if len(found.manifests) > limits.IMAGE_PARTS:
        raise OciError(
            f"the index lists {len(found.manifests)} images, more than {limits.IMAGE_PARTS}",
            hint="name the one that is meant by its digest",
            code="image.document",
        )
    return found


def decoded(data: bytes, kind: type[T], what: str) -> T:
    """A JSON document as a record; null lists and annotations count as none."""
    try:
        plain = msgspec.json.decode(data)
        kept = {key: value for key, value in plain.items() if value is not None}
        return msgspec.convert(kept, kind)
    except (ValueError, AttributeError, RecursionError) as error:
        raise OciError(f"the {what} cannot be read: {readable(str(error))}", code="image.document") from None


def choose(listed: Sequence[Descriptor], reference: str | None) -> Descriptor:
    """The image of a name, its tag or its digest; None: the only one.

    Raises `OciError` `image.unknown`, `image.ambiguous`.
    """
    found = [each for each in listed if reference is None or _answers(each, reference)]
    if len({each.digest for each in found}) == 1:
        return found[0]
    names = ", ".join(readable(name_of(each) or each.digest) for each in listed[:10])
    if not found:
        about = f"no image {readable(reference or '')}".rstrip()
        raise OciError(
            about, hint=f"there are: {names}" if names else "nothing is in it", code="image.unknown"
        )
    raise OciError("several images are meant", hint=f"name one of {names}", code="image.ambiguous")


def named(descriptor: Descriptor, reference: str | None) -> Descriptor:
    """A descriptor for the list of a layout: with its name."""
    names = {REF_NAME: reference, CONTAINERD_NAME: reference} if reference else None
    return msgspec.structs.replace(descriptor, annotations=names)


def name_of(descriptor: Descriptor) -> str | None:
    """The name that a layout's list gives an image."""
    return (descriptor.annotations or {}).get(REF_NAME)


def blob_path(digest: str) -> str:
    """Where a layout has a blob; raises `OciError` `image.digest` for what is no digest."""
    algorithm, _, value = digest.partition(":")
    if algorithm != "sha256" or len(value) != 64 or not HEX.issuperset(value):
        raise OciError(f"{readable(digest[:80])!r} is no digest", code="image.digest")
    return f"blobs/sha256/{value}"


def _answers(descriptor: Descriptor, reference: str) -> bool:
    name = name_of(descriptor) or ""
    return reference in (descriptor.digest, name) or ("/" in name and name.rpartition(":")[2] == reference)


def _for_platform(listed: Sequence[Descriptor], architecture: str | None) -> Descriptor:
    wanted = [
        each
        for each in listed
        if architecture is None or each.platform is None or each.platform.architecture == architecture
    ]
    if not wanted:
        there = ", ".join(sorted({each.platform.architecture for each in listed if each.platform}))
        raise OciError(
            "the index lists no image" + (f" for {architecture}" if listed else ""),
            hint=f"there are: {readable(there)}" if there else "",
            code="image.platform",
        )
    return wanted[0]


def _too_large(descriptor: Descriptor) -> OciError:
    return OciError(
        f"{readable(descriptor.digest)} is larger than the {limits.REGISTRY_DOCUMENT} bytes of a document",
        code="limit.image-document",
    )
