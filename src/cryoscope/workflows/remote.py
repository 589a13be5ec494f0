"""Archives and images on other machines: `oci://`, `https://`, `s3://`, read where they lie.

What must be decompressed from its start is not fetched unless that is asked for (`--stream`).
"""

from __future__ import annotations

import os
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import msgspec

from cryoscope import limits
from cryoscope.errors import Refused, UsageError
from cryoscope.text import readable

if TYPE_CHECKING:
    from cryoscope.checkpoint.archive import Archive, ByteSource
    from cryoscope.images.reference import Reference
    from cryoscope.images.registry import Registry

OCI, S3 = "oci://", "s3://"


class Reaching(msgspec.Struct, frozen=True, kw_only=True):
    """`stream`: read all of what is compressed; `plain_http`: speak without TLS to other machines, too."""

    stream: bool = False
    plain_http: bool = False


REACHING: ContextVar[Reaching] = ContextVar("reaching", default=Reaching())  # noqa: B039 - frozen
"""What the user allowed, for everything that this run opens."""


def allow(**allowed: bool) -> None:
    """Allow something from now on."""
    REACHING.set(msgspec.structs.replace(REACHING.get(), **allowed))


def open_remote(target: str, **options: Any) -> Archive:
    """The archive that an address names; `options` are those of `open_archive`.

    Raises `Refused` (`open.remote-compressed`, `open.no-ranges`) where that would fetch all of it, and what
    reaching it raises.
    """
    from cryoscope.checkpoint.archive import PipeSource, open_archive, open_parts
    from cryoscope.images.remote.errors import NoRanges

    if target.startswith(OCI):
        from cryoscope.images.registry.parts import image_archive

        return open_parts(image_archive(registry_at(target)), whole=_asked, **options)
    try:
        return open_archive(remote_source(target), whole=_asked, **options)
    except NoRanges:
        if not REACHING.get().stream:
            raise
    from cryoscope.images.remote.stream import HttpStream

    stream = HttpStream(target, plain_http=REACHING.get().plain_http)
    return open_archive(PipeSource(stream, stream.name), **options | {"cache": None})  # type: ignore[arg-type]


def remote_source(target: str) -> ByteSource:
    """The bytes of an archive far away; of an image, those of its only layer."""
    from cryoscope.checkpoint.archive.readahead import ReadAhead

    if target.startswith(OCI):
        return _only_layer(target)
    if target.startswith(S3):
        from cryoscope.evidence.blobs.s3 import s3_source
        from cryoscope.settings import settings

        store = settings().store
        return ReadAhead(s3_source(target, store.endpoint, store.region))
    from cryoscope.images.remote.source import http_source

    return ReadAhead(http_source(target, plain_http=REACHING.get().plain_http))


def registry_at(image: Reference | str, *, plain_http: bool = False) -> Registry:
    """The registry of an image, with the user's credentials for it; a context manager."""
    from cryoscope.images.auth import find
    from cryoscope.images.reference import parse
    from cryoscope.images.registry import Registry

    named = parse(image) if isinstance(image, str) else image
    return Registry(
        named,
        credentials=find(credential_files(), named),
        plain_http=plain_http or REACHING.get().plain_http,
    )


def credential_files() -> list[str]:
    """Where credentials for registries are, as Podman and Docker look for them."""
    if named := os.environ.get("REGISTRY_AUTH_FILE"):
        return [named]
    found = []
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        found.append(os.path.join(runtime, "containers", "auth.json"))
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    docker = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    return [*found, os.path.join(config, "containers", "auth.json"), os.path.join(docker, "config.json")]


def _asked(source: ByteSource, codec: str) -> None:
    """Raises `Refused` for what is large and can only be read from its start, unless that was asked for."""
    size = source.size
    if REACHING.get().stream or (size is not None and size <= limits.REMOTE_WHOLE):
        return
    raise Refused(
        f"{readable(source.name)} is compressed ({codec}) and would be fetched whole: {size} bytes",
        hint="--stream fetches it once; of a plain tar, or zstd with a seek table, little is needed",
        code="open.remote-compressed",
    )


def _only_layer(target: str) -> ByteSource:
    from cryoscope.images.reading import told

    registry = registry_at(target)
    try:
        layers = told(registry, None).layers
        if len(layers) != 1:
            raise UsageError(
                f"the image has {len(layers)} layers, and an archive is one",
                hint="pull it into a layout: cryoscope image pull",
                code="image.layers",
            )
        return registry.blob(layers[0], own=True)
    except BaseException:
        registry.close()
        raise
