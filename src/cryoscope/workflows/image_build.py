"""`image build`: a checkpoint archive becomes an OCI image, in one pass and without root.

The archive is judged first (its index and its documents, a few kilobytes); then its bytes go by once: hashed,
compressed if asked, into the target.  The time of the build is nowhere in it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from itertools import islice

import msgspec

from cryoscope.checkpoint.archive import Archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.complete import missing_from
from cryoscope.errors import ArchiveError, Refused, UsageError
from cryoscope.images.annotations import CREATED, OWN, annotations_of, architecture
from cryoscope.images.build import Image
from cryoscope.images.build import build as build_image
from cryoscope.images.convert import Conversion, conversion
from cryoscope.images.fitness import unfit
from cryoscope.images.layer import Layer, LayerWriter
from cryoscope.images.packed import Hashed, write_members, write_source
from cryoscope.images.packing import packing
from cryoscope.images.ports import ImageSource, ImageTarget, Platform
from cryoscope.text import readable
from cryoscope.workflows.access import REVEAL, Access
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, answer
from cryoscope.workflows.open import CASE, STANDARD_INPUT, Progress, open_at, source_at

NAMED = 3
"""Reasons of a refusal that are told."""


class Building(msgspec.Struct, frozen=True, kw_only=True):
    """How to build: `runtime` who restores it (`any`: whoever took it), `base` the image below, by digest.

    `compress` is none, gzip or zstd; `extra` annotations of the caller; `force` past what an archive lacks.
    """

    compress: str = "none"
    runtime: str = "any"
    base: str = ""
    extra: Mapping[str, str] = {}
    architecture: str = ""
    force: bool = False
    progress: Progress | None = None


class Built(msgspec.Struct, frozen=True, kw_only=True):
    """An image that was built: `image` has its descriptors, `archive_sha256` is of the archive as given."""

    image: Image
    platform: Platform
    archive_sha256: str
    engine: str
    runtime: str
    notes: list[str]


class BuiltPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """What `image build` says: digests as `sha256:HEX`, sizes in bytes.

    `digest` is of the index, which the reference means; `archive_sha256` of the archive as it was given.
    """

    reference: str
    output: str | None = None
    digest: str
    manifest: str
    layer: str
    layer_size: int
    media_type: str
    diff_id: str
    archive_sha256: str
    platform: str
    engine: str
    runtime: str
    annotations: dict[str, str] = {}
    notes: list[str] = []


def build(
    archive: str, target: ImageTarget, *, reference: str | None = None, how: Building | None = None
) -> Built:
    """Build an image of what `archive` names into a target.

    Raises `Refused` (`image.incomplete`, `image.unfit`, `image.convert-...`), `ArchiveError`, `OciError`.
    """
    how = how or Building()
    if archive == STANDARD_INPUT:
        raise UsageError(
            "an image cannot be built of standard input",
            hint="write it to a file first: it is judged before it is copied",
            code="image.standard-input",
        )
    with open_at(archive, access=Access(action=REVEAL)) as opened:
        checkpoint = Checkpoint(opened)
        _judge(checkpoint, how)
        with conversion(checkpoint, how.runtime, base=how.base) as change:
            layer, digest = _layer(archive, opened, target, change, how)
            return _described(checkpoint, target, layer, digest, reference, how, change)


@contextlib.contextmanager
def about(archive: str) -> Iterator[None]:
    """Puts the name of an archive before what is wrong with it, unless it stands there."""
    try:
        yield
    except ArchiveError as error:
        if archive not in error.message:
            error.message = f"{readable(archive)}: {error.message}"
        raise


def image(archive: str, reference: str, *, output: str, how: Building) -> Answer:
    """`image build ARCHIVE REF -o PLACE`: the answer."""
    with about(archive), target_at(output) as target:
        built = build(archive, target, reference=reference, how=how)
    return answer("image-build", [part(archive, reference, built, output)], [], [])


def pushed(archive: str, reference: str, *, how: Building) -> Answer:
    """`image build ARCHIVE REF --push`: straight into a registry."""
    from cryoscope.images.reference import parse
    from cryoscope.workflows.remote import registry_at

    named = parse(reference)
    with about(archive), registry_at(named) as registry:
        built = build(archive, registry, reference=named.tag, how=how)
    return answer("image-build", [part(archive, reference, built)], [], [])


def part(archive: str, reference: str, built: Built, output: str | None = None) -> BuiltPart:
    """What was built, for a document."""
    layer, platform = built.image.layer, built.platform
    return BuiltPart(
        archive=readable(archive),
        reference=readable(reference),
        output=readable(output) if output else None,
        digest=built.image.index.digest,
        manifest=built.image.manifest.digest,
        layer=layer.descriptor.digest,
        layer_size=layer.descriptor.size,
        media_type=layer.descriptor.media_type,
        diff_id=layer.diff_id,
        archive_sha256=built.archive_sha256,
        platform=f"{platform.os}/{platform.architecture}",
        engine=built.engine,
        runtime=built.runtime,
        annotations=built.image.annotations,
        notes=built.notes,
    )


@contextlib.contextmanager
def target_at(path: str) -> Iterator[ImageTarget]:
    """A place of this machine to build into: a new tar (`.tar`), else a layout folder, new or added to."""
    if path.endswith(".tar") and not os.path.isdir(path):
        from cryoscope.images.layout_tar import LayoutTarTarget

        with LayoutTarTarget(path) as tar:
            yield tar
    else:
        from cryoscope.images.layout import LayoutFolder

        yield LayoutFolder(path, make=True)


@contextlib.contextmanager
def source_of(path: str) -> Iterator[ImageSource]:
    """An image layout of this machine, folder or tar."""
    if os.path.isdir(path):
        from cryoscope.images.layout import LayoutFolder

        yield LayoutFolder(path)
    else:
        from cryoscope.images.layout_tar import LayoutTar

        with LayoutTar(path, source_at(path)) as tar:
            yield tar


# --- steps ----------------------------------------------------------------------------------------
def _judge(checkpoint: Checkpoint, how: Building) -> None:
    """Raises `Refused` for what no runtime could restore, or would take for something else."""
    if problems := list(islice(unfit(checkpoint.archive), NAMED)):
        raise Refused(
            "; ".join(problems),
            hint="no engine writes that: look at who made the archive",
            code="image.unfit",
        )
    missing = [] if how.force else missing_from(checkpoint)
    if missing:
        told = "; ".join(f"{readable(each.part)} {each.problem}" for each in missing[:NAMED])
        raise Refused(
            f"the checkpoint is not complete: {told}",
            hint="take it again; --force builds an image that can be read and not restored",
            code="image.incomplete",
        )


def _layer(
    name: str, archive: Archive, target: ImageTarget, change: Conversion, how: Building
) -> tuple[Layer, str]:
    """The layer, and the SHA-256 of the archive as it was given."""
    a_file = archive.form.startswith("tar") and not name.startswith(CASE)
    as_it_is = a_file and not change.members
    packed = packing(how.compress, archive.members.values() if as_it_is else ())
    with target.upload() as upload, LayerWriter(upload, packed) as writer:
        if as_it_is:
            digest = _copied(name, writer, how)
        else:
            write_members(archive, writer, change.members)
            digest = _given(name, a_file)
        layer = writer.finish()
    return layer, digest or layer.diff_id.partition(":")[2]


def _copied(name: str, writer: LayerWriter, how: Building) -> str | None:
    source = source_at(name)
    try:
        return write_source(source, writer, how.progress)
    finally:
        source.close()


def _given(name: str, a_file: bool) -> str | None:
    """SHA-256 of the archive that a changed layer was made of; None of a folder or an image."""
    if name.startswith(CASE):
        from cryoscope.workflows.case_open import digest_of

        return digest_of(name)[0]
    if not a_file:
        return None
    source = source_at(name)
    try:
        return Hashed(source).digest()
    finally:
        source.close()


def _described(
    checkpoint: Checkpoint,
    target: ImageTarget,
    layer: Layer,
    digest: str,
    reference: str | None,
    how: Building,
    change: Conversion,
) -> Built:
    extra = {OWN + "archive.sha256": digest} | dict(how.extra)
    said = annotations_of(checkpoint, extra, change.facts)
    platform = Platform(architecture=how.architecture or architecture(checkpoint))
    built = build_image(target, layer, said, platform, reference=reference, created=said.get(CREATED))
    return Built(
        image=built,
        platform=platform,
        archive_sha256=digest,
        engine=checkpoint.container.engine,
        runtime=how.runtime,
        notes=change.notes,
    )
