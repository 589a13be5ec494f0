"""Image files: magic, then entries of {u32 size, message, raw payload}, little-endian.

Defined by CRIU, criu/image.c and criu/protobuf.c.  Images v1.1 (CRIU 1.x and later) begin with a
common or service magic before their own; inventory.img, and every image of v1, has its own alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.criu.extras import EXTRAS, U32, Codec, ShortError
from cryoscope.checkpoint.criu.images import (
    COMMON_MAGIC,
    HEADS,
    SERVICE_MAGIC,
    ImageType,
    by_file_name,
    image_type,
    raw_image,
)
from cryoscope.checkpoint.criu.messages import decode, encode
from cryoscope.errors import Damaged, ImageError, ImageUnsupported, LimitExceeded

MOST_SKIPPED = 1000
"""Undecodable entries before the rest of an image is left alone: each is a record of its own."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry: the message, what lies behind it, and the byte of the image where its size stands.

    `message` has CRIU's field names; strings are bytes and enumerations numbers.  `extra` is None,
    bytes, or what `extras.py` makes of them.  `raw` and `raw_extra` are the bytes as they were, kept
    only where encoding the message or the payload again would give others.
    """

    message: Any
    extra: Any
    offset: int
    raw: bytes | None = None
    raw_extra: bytes | None = None


class Skipped(msgspec.Struct, frozen=True):
    """An entry whose message cannot be decoded: its bytes, and where its size stands."""

    data: bytes
    offset: int


class Image(msgspec.Struct, frozen=True):
    """A decoded image.  `head` is what stood before its magic (a key of images.HEADS); `skipped` are
    undecodable entries between others, `tail` the bytes from the first that has no end."""

    type: ImageType
    entries: list[Entry]
    damaged: list[Damaged]
    head: str
    skipped: list[Skipped] = []
    tail: bytes = b""


def parse(data: bytes | memoryview, *, name: str, partial: bool = True) -> Image:
    """Decodes an image; `name` is the file's, for errors and for images without a magic.

    What cannot be read is a Damaged record beside the entries that can (`partial`), or an ImageError.
    Raises ImageError for an unknown or missing magic, for files without one (`criu.image-raw`), and
    LimitExceeded above limits.IMAGE bytes or limits.ENTRIES entries.
    """
    if len(data) > limits.IMAGE:
        raise _too_much(f"{name}: {len(data)} bytes are more than an image has", "limit.image")
    kind, head, start = read_head(data, name)
    image = _Reader(kind, data, name).read(head, start)
    if image.damaged and not partial:
        first = image.damaged[0]
        raise ImageError(f"{name}: {first.problem}", code=first.code, hint=_TRUNCATED_HINT)
    return image


def info(data: bytes | memoryview, name: str) -> dict[str, Any]:
    """{"magic": crit's name, "count": whole entries}; a pagemap's head is not counted, as in crit."""
    kind, _, at = read_head(data, name)
    if kind.extra:
        count = len(parse(data, name=name).entries)
    else:
        count = sum(1 for _ in frames(data, at))
    return {"magic": kind.name, "count": max(count - 1, 0) if kind.name == "PAGEMAP" else count}


def frames(data: bytes | memoryview, at: int) -> Iterator[tuple[int, int]]:
    """(start, end) of each whole message from `at` on, in an image without payloads between them."""
    unpack, total = U32.unpack_from, len(data)
    while at + 4 <= total:
        start = at + 4
        at = start + unpack(data, at)[0]
        if at > total:
            return
        yield start, at


def read_head(data: bytes | memoryview, name: str) -> tuple[ImageType, str, int]:
    """The image's type, its head and where its entries begin; raises ImageError."""
    if len(data) >= 8:
        first, second = U32.unpack_from(data)[0], U32.unpack_from(data, 4)[0]
        if first in (COMMON_MAGIC, SERVICE_MAGIC) and (kind := image_type(second)):
            return kind, "common" if first == COMMON_MAGIC else "service", 8
    if len(data) >= 4 and (kind := image_type(U32.unpack_from(data)[0])):
        return kind, "bare", 4
    raise _unknown(bytes(data[:8]), name)


def head_bytes(kind: ImageType, head: str) -> bytes:
    """What an image of this type and head begins with."""
    before = HEADS[head]
    return (b"" if before is None else U32.pack(before)) + U32.pack(kind.magic)


_TRUNCATED_HINT = "decode it without strictness to see what is whole"


def _unknown(head: bytes, name: str) -> ImageError:
    raw = raw_image(name)
    if raw:
        return ImageError(
            f"{name} has no magic: {raw.what}", hint=f"read it with `{raw.read_with}`", code="criu.image-raw"
        )
    if not head:
        return ImageError(f"{name} is empty", hint="the dump was cut off here", code="criu.image-empty")
    if len(head) >= 4 and int.from_bytes(head[:4], "big") in (COMMON_MAGIC, SERVICE_MAGIC):
        return ImageUnsupported(
            f"{name} was written on a big-endian machine",
            hint="decode it there with crit",
            code="criu.image-endian",
        )
    expected = by_file_name(name)
    what = f"a {expected.name} image begins otherwise" if expected else "no CRIU image begins so"
    return ImageError(
        f"{name}: unknown magic {head.hex()}: {what}",
        hint="is it a CRIU image, and whole? memory pages and iptables dumps have no magic",
        code="criu.image-magic",
    )


class _Reader:
    """One pass over an image's entries."""

    def __init__(self, kind: ImageType, data: bytes | memoryview, name: str) -> None:
        self.kind, self.data, self.name = kind, data, name
        self.codec: Codec | None = EXTRAS[kind.extra] if kind.extra else None
        self.entries: list[Entry] = []
        self.skipped: list[Skipped] = []
        self.damaged: list[Damaged] = []

    def read(self, head: str, at: int) -> Image:
        while at < len(self.data):
            try:
                at = self._entry(at)
            except ShortError as problem:
                self._damage(f"the image ends inside an entry: {problem}", "criu.image-truncated", at)
                break
            except ValueError as problem:
                self._damage(f"an entry is no {self._expected()}: {problem}", "criu.entry-undecodable", at)
                break
        tail = bytes(self.data[at:])
        return Image(self.kind, self.entries, self.damaged, head, self.skipped, tail)

    def _entry(self, at: int) -> int:
        """Reads the entry at `at` and gives the byte behind it."""
        start, end = self._frame(at)
        payload = bytes(self.data[start:end])
        try:
            message = decode(self._expected(), payload)
        except ValueError as problem:
            # without the message nobody knows how long its payload is
            if self.codec or len(self.skipped) >= MOST_SKIPPED:
                raise
            return self._skip(payload, at, end, problem)
        extra, raw_extra = None, None
        if self.codec:
            start = end
            extra, end = self.codec.read(message, self.data, start)
            raw_extra = _unlike(self.codec, message, extra, bytes(self.data[start:end]))
        self._keep(message, payload, extra, at, raw_extra)
        return end

    def _frame(self, at: int) -> tuple[int, int]:
        left = len(self.data) - at - 4
        if left < 0:
            raise ShortError(f"{left + 4} bytes where a size should be")
        size = U32.unpack_from(self.data, at)[0]
        if size > left:
            raise ShortError(f"{size} bytes promised, {left} left")
        if size > limits.ENTRY:
            raise _too_much(f"{self.name}: an entry of {size} bytes", "limit.image-entry")
        return at + 4, at + 4 + size

    def _keep(self, message: Any, payload: bytes, extra: Any, at: int, raw_extra: bytes | None) -> None:
        if len(self.entries) >= limits.ENTRIES:
            raise _too_much(f"{self.name} has more than {limits.ENTRIES} entries", "limit.image-entries")
        raw = None
        if not _is_canonical(message, payload):
            raw, message = payload, decode(self._expected(), payload)
        self.entries.append(Entry(message, extra, at, raw, raw_extra))

    def _skip(self, payload: bytes, at: int, end: int, problem: ValueError) -> int:
        self._damage(f"an entry is no {self._expected()}: {problem}", "criu.entry-undecodable", at)
        self.skipped.append(Skipped(payload, at))
        return end

    def _expected(self) -> str:
        return self.kind.message_at(len(self.entries) + len(self.skipped))

    def _damage(self, problem: str, code: str, at: int) -> None:
        self.damaged.append(Damaged(part=self.name, problem=problem, code=code, offset=at))


def _unlike(codec: Codec, message: Any, extra: Any, original: bytes) -> bytes | None:
    """The payload itself, if encoding it again would give other bytes."""
    if codec.exact:
        return None
    try:
        return None if codec.write(message, codec.show(extra)) == original else original
    except ValueError:
        return original


def _too_much(what: str, code: str) -> LimitExceeded:
    return LimitExceeded(what, hint="real images are far smaller: this one is damaged or hostile", code=code)


def _is_canonical(message: Any, payload: bytes) -> bool:
    """Whether encoding the known fields gives the same bytes.  Takes the unknown ones away."""
    message.DiscardUnknownFields()
    return encode(message) == payload
