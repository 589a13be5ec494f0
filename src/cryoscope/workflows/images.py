"""`decode`, `encode` and `info`: CRIU's images as JSON in crit's form, and back.

A target is an image file, one member of an archive (`ARCHIVE::checkpoint/core-1.img`), or a whole
archive or folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.archive import Archive
from cryoscope.checkpoint.criu.framing import info, parse
from cryoscope.checkpoint.criu.images import by_file_name, image_type, is_raw
from cryoscope.checkpoint.criu.json import dumps, from_json
from cryoscope.checkpoint.layout import images_prefix
from cryoscope.errors import CryoscopeError, Damaged, ImageError, NotACheckpoint, UsageError
from cryoscope.text import readable
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, Asking, answer, each
from cryoscope.workflows.members import missing
from cryoscope.workflows.open import STANDARD_INPUT, open_at, unreadable

SEPARATOR = "::"
MAGICS = (0x54564319, 0x55105940)
SAFE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,200}$")
NOT_IMAGES = ("descriptors.json", "dump.log", "restore.log", "criu.log", "parent")


class ImageInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One CRIU image: its kind, size in bytes, number of entries; for a raw one what it is."""

    image: str
    size: int
    magic: str | None = None
    entries: int | None = None
    description: str | None = None


class ImagesPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `info`."""

    images: list[ImageInfo]

    def rows(self) -> list[Any]:
        return list(self.images)


class Decoded(NamedTuple):
    """One image as JSON text in crit's form; `text` is empty where it could not be decoded."""

    name: str
    text: bytes
    damaged: list[Damaged]


def is_image(path: str) -> bool:
    """Whether a file on disk begins as a CRIU image does."""
    try:
        with open(path, "rb") as file:
            head = file.read(4)
    except OSError:
        return False
    number = int.from_bytes(head, "little")
    return len(head) == 4 and (number in MAGICS or image_type(number) is not None)


def decode_file(path: str, *, pretty: bool = False) -> Decoded:
    """One image on disk; raises `ImageError` if it is none."""
    try:
        with open(path, "rb") as file:
            data = file.read(limits.IMAGE + 1)
    except OSError as error:
        raise unreadable(path, error) from None
    if len(data) > limits.IMAGE:
        raise ImageError(f"{path} is larger than {limits.IMAGE} bytes", code="limit.image")
    return _decoded(os.path.basename(path), data, pretty)


def place_and_member(target: str) -> tuple[str, str]:
    """The two halves of `ARCHIVE::MEMBER`; the member is empty where the whole names a file or folder."""
    if os.path.exists(target):
        return target, ""
    place, _, member = target.partition(SEPARATOR)
    return place, member


def decode_member(target: str, asking: Asking, *, pretty: bool = False) -> Decoded:
    """One member of an archive, named `ARCHIVE::MEMBER`."""
    place, member = place_and_member(target)
    with open_at(place, cache=asking.cache, access=asking.access, progress=asking.progress(place)) as archive:
        if member not in archive:
            raise missing(archive, member)
        return _decoded(member, archive.read(member, limit=limits.IMAGE), pretty)


def decode_all(archive: Archive, *, pretty: bool = False) -> Iterator[Decoded]:
    """Every image of a checkpoint, in the order of the archive; raw ones are left out."""
    for name in image_names(archive):
        try:
            yield _decoded(name, archive.read(name, limit=limits.IMAGE, partial=True), pretty)
        except CryoscopeError as error:
            yield Decoded(name, b"", [Damaged(name, error.message, error.code)])


def image_names(archive: Archive) -> list[str]:
    """The members that are images with a magic number, `stats-dump` beside them included."""
    prefix = images_prefix(archive)
    beside = [name for name in ("stats-dump", "stats-restore") if prefix and name in archive]
    inside = [
        name for name in archive.names(prefix) if "/" not in name[len(prefix) :] and _is_image_name(name)
    ]
    return beside + inside


def _is_image_name(name: str) -> bool:
    base = name.rpartition("/")[2]
    if base in NOT_IMAGES or is_raw(base):
        return False
    return base.endswith(".img") or base.startswith("stats-") or by_file_name(base) is not None


def _decoded(name: str, data: bytes, pretty: bool) -> Decoded:
    image = parse(data, name=name)
    return Decoded(name, dumps(image, pretty=pretty), list(image.damaged))


def encode(text: bytes) -> bytes:
    """The image that a JSON document describes, ours or crit's."""
    document = _document(text)
    if "images" in document or "archives" in document:
        raise UsageError(
            "the document holds many images",
            hint="give the folder to write them to: --output FOLDER",
            code="encode.many",
        )
    return from_json(document)


def encode_all(text: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each image of a document that `decode` made of a whole archive.

    Raises `UsageError` for a name that could lead out of a folder.
    """
    document = _document(text)
    for part in document.get("archives") or [document]:
        images = part.get("images") if isinstance(part, dict) else None
        if not isinstance(images, dict):
            raise UsageError("the document holds no images", hint="make it with `cryoscope decode ARCHIVE`")
        for name, image in images.items():
            base = name.rpartition("/")[2]
            if not SAFE_NAME.match(base):
                raise UsageError(f"{readable(name)!r} is not the name of an image", code="encode.name")
            yield base, from_json(image)


def _document(text: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UsageError(
            f"this is not JSON: {error}", hint="give what `decode` or crit printed", code="encode.json"
        ) from None


def info_of(target: str, asking: Asking) -> tuple[ImagesPart, list[Damaged]]:
    """Kind and number of entries of an image, a member, or every image of an archive."""
    if target != STANDARD_INPUT and os.path.isfile(target) and is_image(target):
        with open(target, "rb") as file:
            return _infos(target, [(os.path.basename(target), lambda: file.read(limits.IMAGE))])
    place, member = place_and_member(target)
    with open_at(place, cache=asking.cache, access=asking.access, progress=asking.progress(place)) as archive:
        if member and member not in archive:
            raise missing(archive, member)
        names = [member] if member else _all_images(archive)
        return _infos(target, [(name, partial(_head, archive, name)) for name in names], archive)


def _all_images(archive: Archive) -> list[str]:
    decodable = image_names(archive)
    prefix = images_prefix(archive)
    raw = [name for name in archive.names(prefix) if is_raw(name.rpartition("/")[2])]
    if not decodable and not raw:
        raise NotACheckpoint("no CRIU images in it")
    return decodable + raw


def _head(archive: Archive, name: str) -> bytes:
    return b"" if is_raw(name.rpartition("/")[2]) else archive.read(name, limit=limits.IMAGE, partial=True)


def _infos(
    target: str, images: Sequence[tuple[str, Callable[[], bytes]]], archive: Archive | None = None
) -> tuple[ImagesPart, list[Damaged]]:
    found, damaged = [], []
    for name, read in images:
        size = archive.members[name].size if archive is not None else os.path.getsize(target)
        raw = is_raw(name.rpartition("/")[2])
        try:
            facts = {} if raw else info(read(), name)
        except CryoscopeError as error:
            damaged.append(Damaged(name, error.message, error.code))
            facts = {}
        found.append(
            ImageInfo(
                image=readable(name),
                size=size,
                magic=facts.get("magic"),
                entries=facts.get("count"),
                description=raw,
            )
        )
    return ImagesPart(archive=readable(target), images=found), damaged


def infos(targets: Sequence[str], asking: Asking) -> Answer:
    """`info_of` for each target."""
    return answer("images", *each(targets, partial(info_of, asking=asking)))
