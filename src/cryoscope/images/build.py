"""An image around one layer: config, manifest, index, all annotated; the same layer gives the same digests.

OCI image-spec 1.1: config.md, manifest.md, image-index.md.  containerd reads annotations of whatever a name
leads to, the index; Podman and CRI-O read those of the manifest: both have all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from cryoscope.images.config import config
from cryoscope.images.layer import Layer
from cryoscope.images.ports import CONFIG, INDEX, MANIFEST, Descriptor, ImageTarget, Platform


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image that was built: its index (what a name means), its manifest, its one layer."""

    index: Descriptor
    manifest: Descriptor
    layer: Layer
    annotations: dict[str, str]


def build(
    target: ImageTarget,
    layer: Layer,
    annotations: Mapping[str, str],
    platform: Platform,
    *,
    reference: str | None = None,
    created: str | None = None,
) -> Image:
    """Put what describes a layer that `target` has, and give it a name."""
    said = dict(sorted(annotations.items()))
    inner = _put(target, CONFIG, config(platform, layer.diff_id, created))
    document = {"config": inner, "layers": [layer.descriptor], "annotations": said}
    manifest = _put(target, MANIFEST, _typed(MANIFEST, document))
    listed = msgspec.structs.replace(manifest, platform=platform)
    data = encode(_typed(INDEX, {"manifests": [listed], "annotations": said}))
    index = described(INDEX, data)
    target.put(index, data)
    target.name(reference, index, data)
    return Image(index=index, manifest=manifest, layer=layer, annotations=said)


def encode(document: Any) -> bytes:
    """The one JSON of a document: sorted keys, no spaces."""
    return msgspec.json.encode(document, order="sorted")


def described(media_type: str, data: bytes) -> Descriptor:
    """The descriptor of a document."""
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    return Descriptor(media_type=media_type, digest=digest, size=len(data))


def _typed(media_type: str, document: dict[str, Any]) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": media_type} | document


def _put(target: ImageTarget, media_type: str, document: Any) -> Descriptor:
    data = encode(document)
    found = described(media_type, data)
    if not target.has(found):
        target.put(found, data)
    return found
