"""OpenSSH's own format of private keys (PROTOCOL.key in its source) and the wire types in it (RFC 4251, 5).

Strings have a length of four bytes, big end first.  An unencrypted key repeats a random number twice and
holds the public half again: both are checked.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

MAGIC = b"openssh-key-v1\0"
MOST = 16384


class Wire:
    """Reads wire types; raises ValueError where there are too few bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def number(self) -> int:
        """A uint32."""
        found = self._take(4)
        return int.from_bytes(found, "big")

    def string(self) -> bytes:
        """A string."""
        length = self.number()
        if length > MOST:
            raise ValueError("a string that no key has")
        return self._take(length)

    def _take(self, length: int) -> bytes:
        found = self.data[self.at : self.at + length]
        if len(found) < length:
            raise ValueError("cut short")
        self.at += length
        return found


def read(raw: bytes) -> tuple[dict[str, Any] | None, str]:
    """What may be shown of the key that `raw` begins with, and how sure it is; None where there is none."""
    try:
        details, checked, _ = parse(raw)
    except ValueError:
        return None, ""
    return details, "certain" if checked else "high"


def parse(raw: bytes) -> tuple[dict[str, Any], bool, int]:
    """Details, whether the key was checked, and its size; raises ValueError."""
    if not raw.startswith(MAGIC):
        raise ValueError("another format")
    wire = Wire(raw[len(MAGIC) :])
    cipher, kdf, _ = wire.string(), wire.string(), wire.string()
    if wire.number() != 1 or not cipher.isascii() or not 3 <= len(cipher) <= 40:
        raise ValueError("no single key")
    public, private = wire.string(), wire.string()
    algorithm = Wire(public).string()
    if not algorithm.isascii() or not algorithm.startswith((b"ssh-", b"ecdsa-", b"sk-")):
        raise ValueError("a key of no known kind")
    encrypted = cipher != b"none"
    details: dict[str, Any] = {"algorithm": algorithm.decode("ascii")[:60], "format": "OpenSSH"}
    details |= {"fingerprint": fingerprint(public), "encrypted": encrypted}
    if encrypted:
        details |= {"cipher": cipher.decode("ascii"), "kdf": kdf.decode("ascii", "replace")[:20]}
    else:
        comment = _check(public, private)
        details |= {"comment": comment} if comment else {}
    return details, not encrypted, len(MAGIC) + wire.at


def fingerprint(public: bytes) -> str:
    """As `ssh-keygen -l` shows it."""
    digest = hashlib.sha256(public).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def _check(public: bytes, private: bytes) -> str:
    """The comment; raises ValueError where the private half does not begin as it must."""
    wire = Wire(private)
    if wire.number() != wire.number():
        raise ValueError("the check numbers differ")
    halves = Wire(public)
    algorithm = wire.string()
    if algorithm != halves.string():
        raise ValueError("the halves are of different kinds")
    parts = {b"ssh-ed25519": 2, b"ssh-rsa": 6, b"ssh-dss": 5}.get(algorithm, 3)
    fields = [wire.string() for _ in range(parts)]
    if not any(fields[-1]) or (algorithm == b"ssh-ed25519" and fields[0] != fields[1][32:]):
        raise ValueError("the halves do not fit")
    if algorithm == b"ssh-rsa" and not _rsa(fields):
        raise ValueError("the numbers are not those of an RSA key")
    return wire.string().decode("utf-8", "replace")[:100]


def _rsa(fields: list[bytes]) -> bool:
    n, p, q = (int.from_bytes(fields[index], "big") for index in (0, 4, 5))
    return n > 3 and n == p * q
