"""The Distinguished Encoding Rules (ITU-T X.690) as far as private keys need them."""

from __future__ import annotations

from typing import NamedTuple

INTEGER, BIT_STRING, OCTET_STRING, OID, SEQUENCE = 0x02, 0x03, 0x04, 0x06, 0x30

DEEPEST = 12


class DerError(ValueError):
    """Bytes that are no DER."""


class Element(NamedTuple):
    """A tag, the contents, and the number of bytes that both take with the length."""

    tag: int
    body: bytes
    size: int


def element(data: bytes, at: int = 0) -> Element:
    """The element that begins at `at`; raises DerError."""
    if len(data) - at < 2:
        raise DerError("too short")
    tag, length, head = data[at], data[at + 1], 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 3 or len(data) < at + 2 + count:
            raise DerError("a length that no key has")
        length = int.from_bytes(data[at + 2 : at + 2 + count], "big")
        head += count
        if length < 0x80 or length >> 8 * (count - 1) == 0:
            raise DerError("a length in more bytes than it needs")
    body = data[at + head : at + head + length]
    if len(body) < length:
        raise DerError("cut short")
    return Element(tag, body, head + length)


def children(data: bytes, most: int = 64) -> list[Element]:
    """The elements that follow each other in `data`; raises DerError."""
    found: list[Element] = []
    at = 0
    while at < len(data):
        if len(found) == most:
            raise DerError("more elements than any key has")
        found.append(element(data, at))
        at += found[-1].size
    return found


def sequence(data: bytes) -> tuple[list[Element], int]:
    """The elements of the sequence that `data` begins with, and its size; raises DerError."""
    outer = element(data)
    if outer.tag != SEQUENCE:
        raise DerError("no sequence")
    return children(outer.body), outer.size


def integer(found: Element) -> int:
    """A whole number; raises DerError for another tag."""
    if found.tag != INTEGER or not found.body:
        raise DerError("no integer")
    return int.from_bytes(found.body, "big", signed=True)


def oid(found: Element) -> str:
    """An object identifier in dotted form; raises DerError."""
    if found.tag != OID or not found.body or found.body[-1] & 0x80 or len(found.body) > 40:
        raise DerError("no object identifier")
    numbers, value = [], 0
    for byte in found.body:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(str(number) for number in (first, numbers[0] - 40 * first, *numbers[1:]))
