"""A checkpoint in a container image: its layers merged into one archive.

OCI image-spec 1.1, layer.md ("Applying", white-outs).  Layers without checkpoint content add
nothing; what they white out is still gone.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from cryoscope.checkpoint.archive.archive import Archive
from cryoscope.checkpoint.archive.member import Member
from cryoscope.checkpoint.archive.oci import LAYOUT, Candidate, candidates, is_image
from cryoscope.checkpoint.archive.report import Report
from cryoscope.checkpoint.archive.source import ByteSource
from cryoscope.errors import ArchiveError

WHITEOUT, OPAQUE = ".wh.", ".wh..wh..opq"

SIGNS = ("config.dump", "spec.dump", "inventory.img", "pstree.img")
IMAGES = "checkpoint/"

FORMS = {"folder": "oci-layout", "registry": "oci-registry"}
"""What an image is called by what its parts lie in; else it is a tar of them."""

OpenTar = Callable[[ByteSource, int], Archive]
Place = tuple[Archive, Member]


class Image:
    """The merged members of an image, each with the archive that holds its bytes."""

    def __init__(self, base: Archive, open_tar: OpenTar, report: Report) -> None:
        self.places: dict[str, Place] = {}
        self._base = base
        self._open_tar = open_tar
        self._report = report
        self._opened: list[Archive] = []

    def merge(self, candidate: Candidate) -> bool:
        """Merge the parts of an image; whether there was a checkpoint in them."""
        for blob in candidate.layers:
            layer = self._layer(blob)
            if layer is not None:
                self._apply(layer)
        for blob in candidate.criu:
            layer = self._layer(blob)
            if layer is not None:
                self._put(layer, IMAGES)
        for name, blob in candidate.parts:
            if self._has(blob):
                self.places[name] = (self._base, self._base.members[blob])
        return bool(self.places)

    def _has(self, blob: str) -> bool:
        if blob in self._base:
            return True
        self._report.add(blob, "is named by the image and not in it", "oci.blob-missing")
        return False

    def _layer(self, blob: str) -> Archive | None:
        """A layer as an archive; None and a report if it is none."""
        if not self._has(blob):
            return None
        try:
            layer = self._open_tar(self._base.source(blob), self._base.nesting + 1)
        except ArchiveError as error:
            self._report.add(blob, error.message, error.code)
            return None
        self._opened.append(layer)
        for record in layer.damaged:
            self._report.add(record.part, record.problem, record.code, record.offset)
        return layer

    def _apply(self, layer: Archive) -> None:
        hidden, emptied = _whiteouts(layer)
        if hidden or emptied:
            gone = [name for name in self.places if _is_gone(name, hidden, emptied)]
            for name in gone:
                del self.places[name]
        if holds_checkpoint(layer):
            self._put(layer, "")
        else:
            layer.close()

    def _put(self, layer: Archive, prefix: str) -> None:
        for name, member in layer.members.items():
            if not name.rpartition("/")[2].startswith(WHITEOUT):
                self.places.pop(prefix + name, None)
                self.places[prefix + name] = (layer, member)

    def close(self) -> None:
        """Close the layers and the archive that they lie in."""
        for layer in self._opened:
            layer.close()
        self._base.close()


class ImageContents:
    """The bytes of merged members: each in the archive that it came from."""

    def __init__(self, image: Image) -> None:
        self._image = image

    def read(self, member: Member, offset: int, length: int) -> bytes:
        archive, inner = self._image.places[member.name]
        return archive.read_at(inner.name, offset, length)

    def close(self) -> None:
        self._image.close()


def open_image(base: Archive, open_tar: OpenTar) -> Archive | None:
    """The checkpoint in `base`; None if it is no container image, or a checkpoint itself.

    Of several images the first with a checkpoint counts, and the others are named.  Raises
    ArchiveError `archive.no-checkpoint` if none has one.
    """
    if not is_image(base) or holds_checkpoint(base):
        return None
    report = Report(base.name)
    report.records.extend(base.damaged)
    found = candidates(base, report)
    if not found and LAYOUT not in base:
        return None
    for place, candidate in enumerate(found):
        image = Image(base, open_tar, report)
        if image.merge(candidate):
            others = len(found) - place - 1
            if others:
                report.add("index.json", f"lists {others} more images, not looked into", "oci.more-images")
            return _archive(base, image, candidate, report)
    problem = f" ({report.records[0].part}: {report.records[0].problem})" if report.records else ""
    raise ArchiveError(
        f"is a container image without a checkpoint{problem}",
        hint="give an image made of a checkpoint (podman --create-image, checkpointctl build)",
        code="archive.no-checkpoint",
    )


def holds_checkpoint(archive: Archive) -> bool:
    """Whether there are images of CRIU or descriptions of a checkpointed container in it."""
    if any(sign in archive or IMAGES + sign in archive for sign in SIGNS):
        return True
    return any(name.startswith(IMAGES) and name.endswith(".img") for name in archive.members)


def _archive(base: Archive, image: Image, candidate: Candidate, report: Report) -> Archive:
    form = FORMS.get(base.form, "oci-archive")
    archive = Archive(base.name, form, base.size, ImageContents(image), report, nesting=base.nesting + 1)
    archive.annotations = candidate.annotations
    members = (
        member if member.name == name else msgspec.structs.replace(member, name=name)
        for name, (_, member) in image.places.items()
    )
    archive.enter(members, ())
    return archive


def _whiteouts(layer: Archive) -> tuple[set[str], set[str]]:
    """Names that the layer removes from those below it, and folders that it empties."""
    hidden, emptied = set(), set()
    for name in layer.members:
        folder, _, last = name.rpartition("/")
        if last == OPAQUE:
            emptied.add(folder)
        elif last.startswith(WHITEOUT) and not last.startswith(WHITEOUT + WHITEOUT):
            hidden.add(f"{folder}/{last[len(WHITEOUT) :]}" if folder else last[len(WHITEOUT) :])
    return hidden, emptied


def _is_gone(name: str, hidden: set[str], emptied: set[str]) -> bool:
    """Whether a name or a folder above it is removed."""
    if name in hidden or "" in emptied:
        return True
    at = name.rfind("/")
    while at > 0:
        if name[:at] in hidden or name[:at] in emptied:
            return True
        at = name.rfind("/", 0, at)
    return False
