"""`image push` and `image pull`: images between this machine and registries.

push   layout folder, layout tar, checkpoint archive (built on the way) or another image -> registry
pull   registry -> layout folder, layout tar, or the checkpoint archive in its layer
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from cryoscope.checkpoint.archive.codec import sniff
from cryoscope.errors import UsageError
from cryoscope.images.copying import Copied, Copier
from cryoscope.images.ports import Descriptor, ImageSource, OciError
from cryoscope.images.reading import blob_path, told
from cryoscope.images.reference import Reference, parse
from cryoscope.images.registry import Registry
from cryoscope.text import readable
from cryoscope.workflows.documents import Part
from cryoscope.workflows.download import download
from cryoscope.workflows.examine import Answer, answer
from cryoscope.workflows.image_build import about, build, source_of, target_at
from cryoscope.workflows.open import STANDARD_INPUT, Progress, source_at, unreadable
from cryoscope.workflows.remote import OCI, registry_at


class TransferPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """What went where: `digest` of what the name means, `size` of all its blobs, `sent` bytes on the way.

    `there` blobs of `blobs` were at their place already, `mounted` in another repository of its registry;
    `built` where the image was made of the archive on the way, `output` what a pull wrote.
    """

    reference: str
    digest: str
    size: int
    sent: int
    blobs: int = 0
    there: int = 0
    mounted: int = 0
    built: bool = False
    output: str | None = None


def push(source: str, image: str, *, name: str | None = None, progress: Progress | None = None) -> Answer:
    """Push a layout, an archive or another registry's image as `image`; `name` is which one of a layout."""
    reference = parse(image)
    with about(source):
        _there(source)
    with about(source), registry_at(reference) as registry:
        part = _pushed(source, reference, registry, name, progress)
    return answer("image-transfer", [part], [], [])


def pull(image: str, output: str, *, progress: Progress | None = None) -> Answer:
    """Pull an image into a layout folder, or (`.tar`) a tar of one."""
    reference = parse(image)
    name = str(reference) if reference.tag else None
    with registry_at(reference) as registry, target_at(output) as target:
        copied = Copier(registry, target, progress=progress).copy(None, name)
    part = _part(image, reference, copied, output=output)
    return answer("image-transfer", [part], [], [])


def pull_archive(image: str, output: str, *, progress: Progress | None = None) -> Answer:
    """Pull the checkpoint archive that is the only layer of an image, as it lies there; taken up again."""
    reference = parse(image)
    with registry_at(reference) as registry:
        found = told(registry, None)
        layer = only_layer(found.layers)
        blob_path(layer.digest)  # raises for what is no digest: it names a file
        sent = download(lambda start: registry.stream(layer, start), layer, output, progress)
    part = TransferPart(
        archive=readable(image),
        reference=str(reference),
        digest=found.target.digest,
        size=layer.size,
        sent=sent,
        blobs=1,
        output=readable(output),
    )
    return answer("image-transfer", [part], [], [])


def _there(source: str) -> None:
    """Raises `ArchiveError` `open.missing` for a file that is not there, before a registry is asked."""
    if "://" not in source and source != STANDARD_INPUT and not os.path.lexists(source):
        raise unreadable(source, FileNotFoundError())


def only_layer(layers: list[Descriptor]) -> Descriptor:
    """The layer that is an archive; raises `UsageError` `image.layers`."""
    if len(layers) == 1:
        return layers[0]
    raise UsageError(
        f"the image has {len(layers)} layers, and an archive is one",
        hint="pull it into a layout: -o FOLDER",
        code="image.layers",
    )


def _pushed(
    source: str, reference: Reference, registry: Registry, name: str | None, progress: Progress | None
) -> TransferPart:
    if source.startswith(OCI):
        return _between(source, reference, registry, progress)
    with _layout(source) as layout:
        if layout is None:
            return _built(source, reference, registry)
        copied = Copier(layout, registry, progress=progress).copy(name, reference.tag)
    return _part(source, reference, copied)


def _between(
    source: str, reference: Reference, registry: Registry, progress: Progress | None
) -> TransferPart:
    """From one repository to another: within one registry blobs are taken over, not sent."""
    with registry_at(source) as other:
        beside = other.image.repository if other.base == registry.base else None
        copier = Copier(other, registry, beside=beside, progress=progress)
        return _part(source, reference, copier.copy(None, reference.tag))


def _built(source: str, reference: Reference, registry: Registry) -> TransferPart:
    built = build(source, registry, reference=reference.tag)
    size = built.image.layer.descriptor.size
    return TransferPart(
        archive=readable(source),
        reference=str(reference),
        digest=built.image.index.digest,
        size=size,
        sent=size,
        blobs=2,
        built=True,
    )


@contextlib.contextmanager
def _layout(path: str) -> Iterator[ImageSource | None]:
    """A layout, or None where it is an archive or a folder of a checkpoint."""
    with contextlib.ExitStack() as stack:
        try:
            layout = None if _packed(path) else stack.enter_context(source_of(path))
        except OSError as error:
            raise unreadable(path, error) from None
        except OciError as error:
            if error.code != "image.layout":
                raise
            layout = None
        yield layout


def _packed(path: str) -> bool:
    """Whether it is compressed: no layout is, and to look would unpack all of it."""
    if os.path.isdir(path):
        return False
    source = source_at(path)
    try:
        return sniff(source.read_at(0, 16)) is not None
    finally:
        source.close()


def _part(source: str, reference: Reference, copied: Copied, *, output: str | None = None) -> TransferPart:
    return TransferPart(
        archive=readable(source),
        reference=str(reference),
        digest=copied.target.digest,
        size=copied.size,
        sent=copied.sent,
        blobs=copied.blobs,
        there=copied.there,
        mounted=copied.mounted,
        output=readable(output) if output else None,
    )
