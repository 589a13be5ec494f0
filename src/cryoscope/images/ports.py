"""Where images come from and go to.

OCI image-spec 1.1 (descriptor.md, manifest.md, image-index.md), distribution-spec 1.1.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Annotated, Protocol

import msgspec

from cryoscope.checkpoint.archive import ByteSource
from cryoscope.errors import CryoscopeError

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class OciError(CryoscopeError):
    """An image or a registry did not give or take what it should."""

    default_code = "image.failed"


class Platform(msgspec.Struct, frozen=True):
    """What an image runs on; readers want `os` written even where it is the usual one."""

    architecture: str
    os: str = "linux"
    variant: str | msgspec.UnsetType = msgspec.UNSET


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A reference to a blob: `digest` is `sha256:HEX`, `size` in bytes."""

    media_type: str
    digest: str
    size: Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]
    annotations: dict[str, str] | None = None
    platform: Platform | None = None
    artifact_type: str | None = None


class Upload(Protocol):
    """A blob on its way whose digest is known only in the end."""

    def write(self, block: bytes | memoryview) -> None:
        """Append."""

    def commit(self, digest: str) -> None:
        """Make it a blob; whoever receives it checks the digest."""


class ImageSource(Protocol):
    """A layout, a tar of one, or a repository of a registry."""

    def resolve(self, reference: str | None) -> tuple[Descriptor, bytes]:
        """The index or manifest of a tag or digest (None: the only one); its bytes are what it promises."""

    def blob(self, descriptor: Descriptor) -> ByteSource:
        """A blob to be read by range."""


class ImageTarget(Protocol):
    """Where an image is built or copied to; the order is blobs, manifests, name."""

    def has(self, descriptor: Descriptor) -> bool:
        """Whether a blob is there already."""

    def upload(self) -> AbstractContextManager[Upload]:
        """A new blob; left without `commit`, nothing stays."""

    def put(self, descriptor: Descriptor, document: bytes) -> None:
        """A config, manifest or index, whole."""

    def name(self, reference: str | None, descriptor: Descriptor, document: bytes) -> None:
        """Make an index or manifest what a tag means."""
