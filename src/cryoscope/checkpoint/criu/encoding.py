"""crit's base64, and reading it back strictly."""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64

LINE = 57
"""Bytes a line: 76 characters, as MIME (RFC 2045) and Python's base64.encodebytes have it."""


def to_base64(data: bytes) -> str:
    """Base64 in lines of 76 characters, each ended by a newline; empty for no bytes."""
    if len(data) <= LINE:
        return b2a_base64(data).decode() if data else ""
    lines = [b2a_base64(data[at : at + LINE]) for at in range(0, len(data), LINE)]
    return b"".join(lines).decode()


def from_base64(text: object) -> bytes:
    """The bytes of `text`, whatever its lines; raises ValueError for anything but base64."""
    if not isinstance(text, str):
        raise ValueError(f"{type(text).__name__} instead of base64 text")
    try:
        return a2b_base64("".join(text.split()).encode("ascii"), strict_mode=True)
    except (Base64Error, UnicodeEncodeError):
        raise ValueError("not base64 text") from None
