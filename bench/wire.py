"""A protobuf wire reader and writer just large enough to edit CRIU messages without a schema.

Format: the protocol buffers encoding (varint, 64-bit, length-delimited, 32-bit fields) and CRIU's
framing of image files, `{u32 magic, u32 magic}` then `{u32 size, message}*` (criu/image.c).
The generator keeps to this on purpose: what it writes must not depend on the code under test.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED = {FIXED64: 8, FIXED32: 4}
U64 = (1 << 64) - 1


def varint(value: int) -> bytes:
    """One unsigned base-128 varint."""
    value &= U64
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


@dataclass(slots=True)
class Message:
    """A message as a list of (field number, wire type, value) in the order of the file."""

    fields: list[tuple[int, int, int | bytes]] = field(default_factory=list)

    @classmethod
    def parse(cls, data: bytes) -> Message:
        """Read `data` as one message; no schema, so nested messages stay bytes."""
        out, at = cls(), 0
        while at < len(data):
            tag, at = _read_varint(data, at)
            number, kind = tag >> 3, tag & 7
            value: int | bytes
            if kind == VARINT:
                value, at = _read_varint(data, at)
            else:
                size = _FIXED.get(kind, 0)
                if kind == BYTES:
                    size, at = _read_varint(data, at)
                value, at = data[at : at + size], at + size
            out.fields.append((number, kind, value))
        return out

    def dump(self) -> bytes:
        """The message's bytes."""
        out = bytearray()
        for number, kind, value in self.fields:
            out += varint(number << 3 | kind)
            if isinstance(value, int):
                out += varint(value)
            else:
                out += (varint(len(value)) if kind == BYTES else b"") + value
        return bytes(out)

    def add(self, number: int, value: int | bytes) -> Message:
        """Append a field; returns the message, so that calls chain."""
        self.fields.append((number, VARINT if isinstance(value, int) else BYTES, value))
        return self

    def set(self, number: int, value: int | bytes) -> Message:
        """Replace the first field `number` where it stands and drop its repetitions; append if absent."""
        kept: list[tuple[int, int, int | bytes]] = []
        done = False
        for item in self.fields:
            if item[0] != number:
                kept.append(item)
            elif not done:
                kept.append((number, item[1], value))
                done = True
        self.fields = kept
        return self if done else self.add(number, value)

    def drop(self, number: int) -> Message:
        """Remove every field `number`."""
        self.fields = [item for item in self.fields if item[0] != number]
        return self

    def number(self, number: int) -> int:
        """The first varint field `number`, 0 if absent."""
        return next((v for n, _, v in self.fields if n == number and isinstance(v, int)), 0)

    def all_bytes(self, number: int) -> list[bytes]:
        """Every length-delimited field `number`."""
        return [v for n, _, v in self.fields if n == number and isinstance(v, bytes)]

    def edit(self, number: int, **changes: int | bytes) -> Message:
        """Set fields `f<n>=value` of the nested message in field `number`."""
        inner = Message.parse(self.all_bytes(number)[0])
        for name, value in changes.items():
            inner.set(int(name[1:]), value)
        return self.set(number, inner.dump())


def messages(image: bytes) -> Iterator[Message]:
    """The messages of an image file with two magics and no extra payloads."""
    at = 8
    while at < len(image):
        (size,) = struct.unpack_from("<I", image, at)
        yield Message.parse(image[at + 4 : at + 4 + size])
        at += 4 + size


def image(magics: bytes, items: Iterable[Message]) -> bytes:
    """An image file: `magics` (the first 8 bytes of an image of the same kind) and framed messages."""
    out = bytearray(magics)
    for item in items:
        body = item.dump()
        out += struct.pack("<I", len(body)) + body
    return bytes(out)
