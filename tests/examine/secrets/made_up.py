"""Secrets that are none: put together here, so that no file holds one, and bytes to plant them in."""

from __future__ import annotations

import base64
import io
import json
import random
import string
import tarfile
import zlib
from pathlib import Path

from cryoscope.examine.secrets.rules.tokens import BASE62, in_base

RNG = random.Random(1432)
LETTERS = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
PAGES, PAGE = "checkpoint/pages-1.img", 40960
"""A page of the heap of pid 1 in podman-looper-crun.tar."""


def some(count: int, alphabet: str = LETTERS) -> str:
    """Random characters, the same in every run."""
    return "".join(RNG.choice(alphabet) for _ in range(count))


def checksummed(mark: str) -> str:
    """A token as GitHub and npm make them."""
    body = some(30)
    return mark + body + in_base(zlib.crc32(body.encode()), BASE62, 6).decode()


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def jwt(claims: object, header: object = None) -> bytes:
    """A JSON Web Token with a signature of nobody."""
    parts = [header or {"alg": "RS256", "typ": "JWT", "kid": "k1"}, claims]
    return ".".join([*(b64url(json.dumps(part).encode()) for part in parts), some(86)]).encode()


def planted(archive: Path, *texts: bytes) -> bytes:
    """The archive with texts in a page of a process, each behind some zeros."""
    data = bytearray(archive.read_bytes())
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        start = tar.getmember(PAGES).offset_data + PAGE
    page = (b"\0" * 8).join([b"", *texts, b""])
    assert len(page) <= 4096
    data[start : start + 4096] = page.ljust(4096, b"\0")
    return bytes(data)
