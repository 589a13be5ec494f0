"""base64 as it stands in memory: with line ends of every spelling, padded or not, cut short."""

from __future__ import annotations

import base64
import binascii
import re

LINE_ENDS = re.compile(rb"\\+[rnt]|\s+")
HEAD = re.compile(rb"[A-Za-z0-9+/=\s\\]*")


def without_line_ends(data: bytes) -> bytes:
    """base64 at the beginning of `data` in one line; `\\n` spelled out is a line end, too."""
    head = HEAD.match(data)
    return LINE_ENDS.sub(b"", head[0]) if head else b""


def decoded(data: bytes) -> bytes:
    """The bytes of base64, as far as it goes; padding may be missing."""
    plain = data.rstrip(b"=")
    plain = plain[: -1 if len(plain) % 4 == 1 else None]
    try:
        return base64.b64decode(plain + b"=" * (-len(plain) % 4))
    except (binascii.Error, ValueError):
        return b""


def decoded_url(data: bytes) -> bytes:
    """The bytes of base64 in the alphabet of URLs (RFC 4648, 5)."""
    return decoded(data.replace(b"-", b"+").replace(b"_", b"/"))
