"""Protocol Buffers on the wire, as much as the CRI's messages need (protobuf.dev: Encoding).

A message's fields are named as in kubernetes/cri-api, pkg/apis/runtime/v1/api.proto; those that the lab
does not use are left out.  Integers are varints; strings, bytes and messages have a length before them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

VARINT, SIZED = 0, 2
WIDTHS = {1: 8, 5: 4}
"""Bytes of the wire types of a fixed size."""


class Message:
    """The fields of one kind of message: a number, or a number and the message in the field."""

    def __init__(self, **fields: int | tuple[int, Message]) -> None:
        self._fields: dict[str, tuple[int, Message | None]] = {}
        for name, field in fields.items():
            self._fields[name] = field if isinstance(field, tuple) else (field, None)

    def encode(self, values: dict[str, Any]) -> bytes:
        """A message with these values; a list is a repeated field, an int, str or bytes stands for itself."""
        return b"".join(
            _field(*self._fields[name], one)
            for name, value in values.items()
            for one in (value if isinstance(value, list) else [value])
        )

    def decode(self, data: bytes) -> dict[str, list[Any]]:
        """Every field's values in a message; fields that are not known here are passed over."""
        found: dict[str, list[Any]] = {name: [] for name in self._fields}
        names = {number: (name, kind) for name, (number, kind) in self._fields.items()}
        for number, value in _values(data):
            if number in names:
                name, kind = names[number]
                found[name].append(kind.decode(value) if kind else value)
        return found


def _field(number: int, kind: Message | None, value: Any) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3 | VARINT) + _varint(value)
    data = kind.encode(value) if kind else value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | SIZED) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*data, value])


def _values(data: bytes) -> Iterator[tuple[int, Any]]:
    """The number and the value of each field."""
    at = 0
    while at < len(data):
        key, at = _read(data, at)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value, at = _read(data, at)
            yield number, value
            continue
        size, at = _read(data, at) if wire == SIZED else (WIDTHS[wire], at)
        yield number, data[at : at + size]
        at += size


def _read(data: bytes, at: int) -> tuple[int, int]:
    """The varint at an offset, and the offset after it."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
