"""An image as a base: its layers, the top one first, with what each hides of those below.

OCI image-spec 1.1, layer.md ("Applying", white-outs); docker archives have the same layers.  A tar that
is no image is taken as the one layer of it, which is what `podman export` writes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property, partial
from itertools import islice, takewhile

from cryoscope.checkpoint.archive import Archive, Member, open_archive
from cryoscope.checkpoint.archive.member import normalise, stored
from cryoscope.checkpoint.archive.oci import candidates, is_image
from cryoscope.checkpoint.archive.report import Report
from cryoscope.checkpoint.rootfs.entries import DEVICES, OPAQUE, OWN, WHITEOUT
from cryoscope.errors import ArchiveError, CryoscopeError, Damaged
from cryoscope.examine.changes.base import BaseFile, Holes

BLOCK = 1 << 20


class Layer:
    """One layer and the paths that it hides of those below."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.hidden: set[str] = set()
        for name in archive.members:
            folder, _, last = name.rpartition("/")
            if last == OPAQUE:
                self.hidden.add(f"{folder}/")
            elif last.startswith(WHITEOUT) and not last.startswith(OWN):
                self.hidden.add(normalise(f"{folder}/{last.removeprefix(WHITEOUT)}"))

    @cached_property
    def _names(self) -> list[str]:
        return sorted(self.archive.members)

    def below(self, start: str) -> Iterator[str]:
        """The names that begin with `start`."""
        names = islice(self._names, bisect_left(self._names, start), None)
        return takewhile(lambda name: name.startswith(start), names)

    def hides(self, path: str) -> bool:
        """Whether a path of the layers below is gone: it, a folder above it, or all in such a folder."""
        if path in self.hidden or "/" in self.hidden:
            return True
        at = path.rfind("/")
        while at > 0:
            above = path[:at]
            member = self.archive.members.get(above)
            if above in self.hidden or f"{above}/" in self.hidden:
                return True
            if member is not None and member.type != "directory":
                return True
            at = path.rfind("/", 0, at)
        return False


class ImageBase:
    """The merged layers of an image; it owns the archive that they lie in."""

    def __init__(self, archive: Archive, layers: list[Archive]) -> None:
        self.name = archive.name
        self._archive = archive
        self._holes = Holes()
        self._layers = [Layer(layer) for layer in reversed(layers)]

    def find(self, path: bytes) -> BaseFile | None:
        """The file at a path, from the uppermost layer that has it."""
        name = normalise(path.decode("utf-8", "surrogateescape"))
        for layer in self._layers:
            member = layer.archive.members.get(name)
            if member is not None and not name.rpartition("/")[2].startswith(WHITEOUT):
                return _file(layer.archive, member, self._holes)
            if layer.hides(name):
                return None
        return None

    def below(self, path: bytes) -> Iterator[bytes]:
        """The paths of all files below a folder that no layer above theirs hides."""
        start = normalise(path.decode("utf-8", "surrogateescape")) + "/"
        names = (name for layer in self._layers for name in layer.below(start))
        for name in dict.fromkeys(names):
            found = b"/" + name.encode("utf-8", "surrogateescape")
            if not name.rpartition("/")[2].startswith(WHITEOUT) and self.find(found) is not None:
                yield found

    def close(self) -> None:
        """Close the archive of the image."""
        self._archive.close()


def _file(archive: Archive, member: Member, holes: Holes) -> BaseFile:
    kind = "file" if member.type in ("hardlink", "other") else member.type
    return BaseFile(
        type=kind,
        mode=member.mode,
        size=member.size,
        uid=member.uid,
        gid=member.gid,
        mtime_ns=member.mtime_ns,
        blocks=partial(_blocks, archive, member, holes),
        link=member.linkname if kind == "symlink" else "",
        device=f"{member.devmajor}:{member.devminor}" if kind in DEVICES else None,
        xattrs=member.xattrs,
    )


def _blocks(archive: Archive, member: Member, holes: Holes) -> Iterator[bytes]:
    holes.take(member.name, member.size, stored(member))
    at = 0
    while at < member.size:
        data = archive.read_at(member.name, at, BLOCK)
        if not data:
            raise ArchiveError(f"{member.name} is cut short in the base", code="archive.truncated")
        yield data
        at += len(data)


def image_base(archive: Archive, damaged: list[Damaged]) -> ImageBase:
    """The base that an archive holds, which owns it from now on; of several images the first.

    Raises `ArchiveError` `fs.base` if no layer of it can be read.
    """
    if not is_image(archive):
        return ImageBase(archive, [archive])
    report = Report(archive.name)
    found = candidates(archive, report)
    for candidate in found:
        layers = [layer for blob in candidate.layers if (layer := _open(archive, blob, report)) is not None]
        if layers:
            if len(found) > 1:
                report.add(
                    "index.json", f"lists {len(found)} images: the first is the base", "oci.more-images"
                )
            damaged += report.records
            return ImageBase(archive, layers)
    problem = f": {report.records[0].problem}" if report.records else ""
    raise ArchiveError(
        f"is an image without layers that can be read{problem}",
        hint="give an OCI layout (skopeo copy ... oci:DIR), a docker archive or an unpacked folder",
        code="fs.base",
    )


def _open(archive: Archive, blob: str, report: Report) -> Archive | None:
    try:
        layer = open_archive(archive.source(blob), nesting=archive.nesting + 1)
    except CryoscopeError as error:
        report.add(blob, error.message, error.code)
        return None
    for record in layer.damaged:
        report.add(f"{blob}: {record.part}", record.problem, record.code, record.offset)
    return layer
