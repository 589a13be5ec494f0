"""An image from one place to another: blobs first, then the documents that name them, its name last.

Every byte is held against the digest that names it on the way; what the target has already is not sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.images.ports import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    INDEX,
    MANIFEST,
    Descriptor,
    ImageSource,
    ImageTarget,
    OciError,
)
from cryoscope.images.reading import blob_path, decoded, document
from cryoscope.text import readable

DOCUMENTS = (INDEX, MANIFEST, DOCKER_LIST, DOCKER_MANIFEST)
BLOCK = 1 << 20

Progress = Callable[[int, int | None], None]


class Copied(msgspec.Struct, kw_only=True):
    """What was copied: `sent` bytes; of `blobs`, `there` were in the target, `mounted` in its registry."""

    target: Descriptor
    blobs: int = 0
    there: int = 0
    mounted: int = 0
    sent: int = 0
    size: int = 0


class _Document(msgspec.Struct, frozen=True):
    """An index or a manifest."""

    manifests: list[Descriptor] = []
    layers: list[Descriptor] = []
    config: Descriptor | None = None


class Copier:
    """Copies images; `beside` is a repository of the target's registry that has their blobs, too."""

    def __init__(
        self,
        source: ImageSource,
        target: ImageTarget,
        *,
        beside: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._source, self._target = source, target
        self._mount: Any = getattr(target, "mount", None) if beside else None
        self._beside = beside
        self._progress = progress or (lambda _done, _total: None)
        self._seen: set[str] = set()
        self._done = 0

    def copy(self, reference: str | None, name: str | None) -> Copied:
        """Copy what a reference means in the source, and call it `name` in the target.

        Raises `OciError` (`image.digest`, `image.document`) and what either side raises.
        """
        found, data = self._source.resolve(reference)
        copied = Copied(target=found)
        documents = [*self._documents(found, data)]
        blobs = {blob.digest: blob for _, _, listed in documents for blob in listed}
        copied.size = sum(blob.size for blob in blobs.values())
        for blob in blobs.values():
            self._blob(blob, copied)
        for one, text, _ in reversed(documents):
            self._target.put(one, text)
        self._target.name(name, found, data)
        self._progress(copied.size, copied.size)
        return copied

    def _documents(
        self, found: Descriptor, data: bytes
    ) -> Iterator[tuple[Descriptor, bytes, list[Descriptor]]]:
        """Index and manifests, each before those that it names, and the blobs that each names."""
        self._seen.add(found.digest)
        told = decoded(data, _Document, "image")
        listed = [*told.manifests, *told.layers, *([told.config] if told.config else [])]
        if len(listed) > limits.IMAGE_PARTS:
            raise OciError(
                f"the image has {len(listed)} parts, more than {limits.IMAGE_PARTS}",
                hint="no engine makes such an image: look at who did",
                code="image.document",
            )
        yield found, data, [one for one in listed if one.media_type not in DOCUMENTS]
        for one in listed:
            if one.media_type in DOCUMENTS and one.digest not in self._seen:
                if len(self._seen) > limits.REGISTRY_DOCUMENTS:
                    raise OciError(
                        f"the index lists more than {limits.REGISTRY_DOCUMENTS} images",
                        hint="name the one that is meant by its digest",
                        code="image.document",
                    )
                yield from self._documents(one, document(self._source, one))

    def _blob(self, blob: Descriptor, copied: Copied) -> None:
        blob_path(blob.digest)  # raises for what is no digest
        copied.blobs += 1
        if self._target.has(blob):
            copied.there += 1
        elif self._mount is not None and self._mount(blob, self._beside):
            copied.mounted += 1
        else:
            self._send(blob)
            copied.sent += blob.size
            return
        self._done += blob.size
        self._progress(self._done, copied.size)

    def _send(self, blob: Descriptor) -> None:
        digest = hashlib.sha256()
        size = 0
        with self._target.upload() as upload:
            for block in blocks(self._source, blob):
                digest.update(block)
                upload.write(block)
                size += len(block)
                self._done += len(block)
                self._progress(self._done, None)
            found = "sha256:" + digest.hexdigest()
            if found != blob.digest or size != blob.size:
                raise _altered(blob)
            upload.commit(found)


def blocks(source: ImageSource, blob: Descriptor, start: int = 0) -> Iterator[bytes]:
    """The bytes of a blob from `start`, as the source gives them best."""
    streamed = getattr(source, "stream", None)
    if streamed is not None:
        yield from streamed(blob, start)
        return
    opened = source.blob(blob)
    try:
        while block := opened.read_at(start, BLOCK):
            start += len(block)
            yield block
    finally:
        opened.close()


def _altered(blob: Descriptor) -> OciError:
    return OciError(
        f"the bytes of {readable(blob.digest)} are others than its digest says",
        hint="the image was altered or damaged: take it from where it was made",
        code="image.digest",
    )
