"""Private keys out of DER: PKCS#1 (RFC 8017, A.1.2), SEC1 (RFC 5915), PKCS#8 plain and encrypted (RFC 5958).

A key is not believed for its header: of RSA n = p·q and e·d = 1 must hold, of the P curves and secp256k1
the public half must be that of the secret one.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from cryoscope.examine.secrets.curves import CURVES, NAMES, fits
from cryoscope.examine.secrets.der import (
    BIT_STRING,
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    DerError,
    Element,
    children,
    element,
    integer,
    oid,
    sequence,
)

RSA, EC = "1.2.840.113549.1.1.1", "1.2.840.10045.2.1"
RAW = {"1.3.101.112": "Ed25519", "1.3.101.110": "X25519", "1.3.101.113": "Ed448", "1.3.101.111": "X448"}
SIZES = {"Ed25519": 32, "X25519": 32, "Ed448": 57, "X448": 56}
OTHER = {"1.2.840.10040.4.1": "DSA", "1.2.840.113549.1.3.1": "DH", "1.2.840.113549.1.1.10": "RSA-PSS"}
ENCRYPTION = {"1.2.840.113549.1.5.13": "PBES2", "1.2.840.113549.1.12.1.3": "PBE-SHA1-3DES"}
BITS = range(512, 16385)


class Key(NamedTuple):
    """What a private key is; `checked` says whether its arithmetic holds, `size` its bytes in DER."""

    algorithm: str
    format: str
    size: int
    checked: bool
    bits: int | None = None
    encrypted: bool = False

    def details(self) -> dict[str, Any]:
        """What may be shown of it."""
        found: dict[str, Any] = {"algorithm": self.algorithm, "format": self.format}
        if self.bits:
            found["bits"] = self.bits
        return found | {"encrypted": self.encrypted}


def read_key(data: bytes) -> Key:
    """The private key that `data` begins with; raises DerError where there is none."""
    items, size = sequence(data)
    if len(items) == 2 and items[0].tag == SEQUENCE and items[1].tag == OCTET_STRING:
        return _encrypted(items, size)
    version = integer(items[0]) if items else -1
    if version in (0, 1) and len(items) >= 3 and items[1].tag == SEQUENCE:
        return _pkcs8(items, size)
    if version == 1 and len(items) >= 2 and items[1].tag == OCTET_STRING:
        return _sec1(items, size, None)
    if version == 0 and len(items) in (6, 9):
        return _numbers(items, size)
    raise DerError("no private key")


def _numbers(items: list[Element], size: int) -> Key:
    values = [integer(item) for item in items]
    return _rsa(values, size) if len(values) == 9 else _dsa(values, size)


def _rsa(values: list[int], size: int) -> Key:
    _, n, e, d, p, q, dp, dq, inverse = values
    if n.bit_length() not in BITS or min(p, q) < 3 or e < 3 or not 0 < d < n:
        raise DerError("no RSA key")
    if n != p * q or (e * d - 1) % math.lcm(p - 1, q - 1) or dp != d % (p - 1) or dq != d % (q - 1):
        raise DerError("the numbers are not those of an RSA key")
    if inverse * q % p != 1:
        raise DerError("the coefficient is not that of an RSA key")
    return Key("RSA", "PKCS#1", size, True, n.bit_length())


def _dsa(values: list[int], size: int) -> Key:
    _, p, q, g, y, x = values
    if p.bit_length() not in range(512, 4097) or q.bit_length() > 512 or not 0 < x < q or not 1 < g < p:
        raise DerError("no DSA key")
    if (p - 1) % q or pow(g, x, p) != y:
        raise DerError("the numbers are not those of a DSA key")
    return Key("DSA", "traditional", size, True, p.bit_length())


def _sec1(items: list[Element], size: int, curve: str | None) -> Key:
    """RFC 5915: version 1, the secret, [0] the curve, [1] the public point."""
    secret, point = items[1].body, b""
    if not 20 <= len(secret) <= 72 or not any(secret):
        raise DerError("no EC key")
    for item in items[2:]:
        inner = element(item.body)
        if item.tag == 0xA0:
            curve = oid(inner)
        elif item.tag == 0xA1 and inner.tag == BIT_STRING:
            point = inner.body[1:]
    if curve is None:
        raise DerError("an EC key without a curve")
    checked = _fits(curve, secret, point)
    return Key(f"EC {NAMES.get(curve, curve)}", "SEC1", size, checked, min(521, 8 * len(secret)))


def _fits(curve: str, secret: bytes, point: bytes) -> bool:
    """Whether it could be checked that the halves fit; raises DerError where they do not."""
    known = CURVES.get(curve)
    half = len(point) // 2
    if known is None or not point or point[0] != 4:
        return False
    x, y = int.from_bytes(point[1 : half + 1], "big"), int.from_bytes(point[half + 1 :], "big")
    if not fits(known, int.from_bytes(secret, "big"), x, y):
        raise DerError("the public half is of another key")
    return True


def _pkcs8(items: list[Element], size: int) -> Key:
    algorithm = children(items[1].body)
    name = oid(algorithm[0]) if algorithm else ""
    if items[2].tag != OCTET_STRING:
        raise DerError("no key in it")
    inner = items[2].body
    if name == RSA:
        key = _numbers(sequence(inner)[0], size)
    elif name == EC and len(algorithm) > 1:
        key = _sec1(sequence(inner)[0], size, oid(algorithm[1]))
    elif name in RAW:
        key = _raw(RAW[name], inner, size)
    elif name in OTHER and element(inner).tag in (INTEGER, SEQUENCE):
        key = Key(OTHER[name], "PKCS#8", size, False)
    else:
        raise DerError("a key of no known kind")
    return key._replace(format="PKCS#8")


def _raw(name: str, inner: bytes, size: int) -> Key:
    secret = element(inner)
    if secret.tag != OCTET_STRING or len(secret.body) != SIZES[name] or len(set(secret.body)) < 8:
        raise DerError(f"no {name} key")
    return Key(name, "PKCS#8", size, False, 8 * len(secret.body))


def _encrypted(items: list[Element], size: int) -> Key:
    algorithm = children(items[0].body)
    name = oid(algorithm[0]) if algorithm else ""
    if not name.startswith(("1.2.840.113549.1.5.", "1.2.840.113549.1.12.1.")) or len(items[1].body) < 32:
        raise DerError("no encrypted key")
    return Key(ENCRYPTION.get(name, name), "PKCS#8", size, False, encrypted=True)
