"""What a container image says about its parts: OCI layouts, containerd checkpoints, docker archives.

OCI image-spec 1.1 (image-layout.md, image-index.md, manifest.md); containerd's media types of
`ctr containers checkpoint` (containerd, core/images/mediatypes.go); `manifest.json` of
`docker save` (moby, image/tarexport).  Only what names a checkpoint's parts is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive.archive import Archive
from cryoscope.checkpoint.archive.member import normalise, resolve
from cryoscope.checkpoint.archive.report import Report
from cryoscope.errors import ArchiveError

LAYOUT, INDEX, DOCKER = "oci-layout", "index.json", "manifest.json"

CONTAINERD = "application/vnd.containerd.container."
CRIU_TAR = CONTAINERD + "criu.checkpoint.criu.tar"
CONTAINERD_PARTS = {
    CONTAINERD + "checkpoint.config.v1+proto": "config.proto",
    CONTAINERD + "checkpoint.options.v1+proto": "options.proto",
    CONTAINERD + "checkpoint.runtime.name": "runtime.name",
    CONTAINERD + "checkpoint.runtime.options+proto": "runtime-options.proto",
}
LAYERS = ("application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs.")

HEX = frozenset("0123456789abcdef")


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """A reference to a blob."""

    media_type: str = ""
    digest: str = ""
    annotations: dict[str, str] | None = None


class Document(msgspec.Struct, frozen=True):
    """An index (manifests) or a manifest (layers)."""

    manifests: list[Descriptor] | None = None
    layers: list[Descriptor] | None = None
    annotations: dict[str, str] | None = None


class DockerImage(msgspec.Struct, frozen=True, rename="pascal"):
    """One image of a docker archive; its layers are member names."""

    layers: list[str] | None = None


class Candidate(msgspec.Struct, frozen=True):
    """One image that may hold a checkpoint: the member names of its parts.

    `layers` are merged from the root of the image, `criu` are tars of CRIU images without a
    folder, `parts` are blobs to be shown under the given names.
    """

    annotations: dict[str, str]
    layers: list[str]
    criu: list[str]
    parts: list[tuple[str, str]]


def is_image(base: Archive) -> bool:
    """Whether it has the files that tell a container image."""
    return (LAYOUT in base and INDEX in base) or DOCKER in base


def candidates(base: Archive, report: Report) -> list[Candidate]:
    """The images that an archive or folder holds; none if it is no container image."""
    if LAYOUT in base and INDEX in base:
        return list(_layout(base, report))
    return _docker(base)


def _layout(base: Archive, report: Report) -> Iterator[Candidate]:
    """The images that the index leads to, nested indexes included, at most limits.IMAGE_PARTS."""
    pending: list[tuple[str, str, dict[str, str]]] = [(INDEX, "", {})]
    seen = {INDEX}
    while pending:
        name, digest, above = pending.pop(0)
        document = _document(base, name, digest, report)
        if document is None:
            continue
        annotations = _merged(above, document.annotations)
        listed = document.manifests or []
        if document.layers is not None or any(one.media_type == CRIU_TAR for one in listed):
            yield _candidate(annotations, [*listed, *(document.layers or [])])
            continue
        for one in listed:
            blob = blob_name(one.digest)
            if blob is None:
                report.add(name, f"names a blob by {one.digest[:80]!r}, which is no digest", "oci.digest")
            elif blob not in seen and len(seen) < limits.IMAGE_PARTS:
                seen.add(blob)
                pending.append((blob, one.digest, _merged(annotations, one.annotations)))


def _candidate(annotations: dict[str, str], blobs: list[Descriptor]) -> Candidate:
    layers, criu, parts = [], [], []
    native = any(one.media_type == CRIU_TAR for one in blobs)
    for one in blobs[: limits.IMAGE_PARTS]:
        blob = blob_name(one.digest) or one.digest
        if one.media_type == CRIU_TAR:
            criu.append(blob)
        elif one.media_type in CONTAINERD_PARTS:
            parts.append((CONTAINERD_PARTS[one.media_type], blob))
        elif native and one.media_type.startswith(LAYERS):
            parts.append(("rootfs-diff.tar", blob))
        elif not native:
            layers.append(blob)
    return Candidate(annotations, layers, criu, parts)


def blob_name(digest: str) -> str | None:
    """The member that holds a blob; None if the digest is not `sha256:` and 64 hex digits."""
    algorithm, _, value = digest.partition(":")
    if algorithm != "sha256" or len(value) != 64 or not HEX.issuperset(value):
        return None
    return f"blobs/sha256/{value}"


def _document(base: Archive, name: str, digest: str, report: Report) -> Document | None:
    """An index or manifest; None and a report if it cannot be read."""
    try:
        data = base.read(name, limit=limits.JSON_DOCUMENT)
        document = msgspec.json.decode(data, type=Document)
    except (ArchiveError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        report.add(name, f"is no OCI index or manifest that can be read: {error}", "oci.document")
        return None
    if digest and not _matches(data, digest):
        report.add(name, "its contents are not those that its digest promises", "oci.digest")
    return document


def _matches(data: bytes, digest: str) -> bool:
    import hashlib

    return hashlib.sha256(data).hexdigest() == digest.partition(":")[2]


def _merged(above: dict[str, str], own: dict[str, str] | None) -> dict[str, str]:
    """Annotations of an index overridden by those of what it lists."""
    both = {**above, **(own or {})}
    if len(both) <= limits.IMAGE_ANNOTATIONS:
        return both
    return dict(list(both.items())[: limits.IMAGE_ANNOTATIONS])


def _docker(base: Archive) -> list[Candidate]:
    """The images of a docker archive; none if its manifest.json is something else."""
    try:
        data = base.read(DOCKER, limit=limits.JSON_DOCUMENT)
        images = msgspec.json.decode(data, type=list[DockerImage])
    except (ArchiveError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
    follow = _follower(base)
    return [
        Candidate({}, [follow(name) for name in one.layers[: limits.IMAGE_PARTS]], [], [])
        for one in images[: limits.IMAGE_PARTS]
        if one.layers
    ]


def _follower(base: Archive) -> Callable[[str], str]:
    """Member names of layers: old Dockers wrote a layer once and symbolic links to it."""

    def follow(name: str) -> str:
        name = normalise(name)
        member = base.members.get(name)
        if member is None or member.type != "symlink":
            return name
        return resolve(name.rpartition("/")[0], member.linkname) or name

    return follow
