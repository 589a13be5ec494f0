"""Elliptic curves y² = x³ + ax + b, as far as it takes to tell whether two halves of a key fit.

Parameters: SEC 2 (secp256k1), FIPS 186 (the P curves).
"""

from __future__ import annotations

from typing import NamedTuple

Point = tuple[int, int] | None


class Curve(NamedTuple):
    """The field's prime, the coefficients, the base point and its order."""

    name: str
    p: int
    a: int
    b: int
    base: tuple[int, int]
    order: int


P256 = Curve(
    "P-256",
    2**256 - 2**224 + 2**192 + 2**96 - 1,
    -3,
    0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    (
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    ),
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
)
P384 = Curve(
    "P-384",
    2**384 - 2**128 - 2**96 + 2**32 - 1,
    -3,
    0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
    (
        0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
        0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
    ),
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
)
SECP256K1 = Curve(
    "secp256k1",
    2**256 - 2**32 - 977,
    0,
    7,
    (
        0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
        0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
    ),
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
)
CURVES = {"1.2.840.10045.3.1.7": P256, "1.3.132.0.34": P384, "1.3.132.0.10": SECP256K1}
NAMES = {"1.3.132.0.35": "P-521", "1.3.132.0.33": "P-224"} | {oid: c.name for oid, c in CURVES.items()}


def on_curve(curve: Curve, x: int, y: int) -> bool:
    """Whether a point lies on a curve."""
    inside = 0 <= x < curve.p and 0 <= y < curve.p
    return inside and (y * y - x * x * x - curve.a * x - curve.b) % curve.p == 0


def fits(curve: Curve, secret: int, x: int, y: int) -> bool:
    """Whether the secret number belongs to a public point; takes about 10 ms."""
    return 0 < secret < curve.order and on_curve(curve, x, y) and _times(curve, secret) == (x, y)


def _times(curve: Curve, number: int) -> Point:
    found: Point = None
    step: Point = curve.base
    while number:
        if number & 1:
            found = _add(curve, found, step)
        step = _add(curve, step, step)
        number >>= 1
    return found


def _add(curve: Curve, one: Point, two: Point) -> Point:
    if one is None or two is None:
        return two if one is None else one
    p = curve.p
    if one[0] == two[0]:
        if (one[1] + two[1]) % p == 0:
            return None
        slope = (3 * one[0] * one[0] + curve.a) * pow(2 * one[1], -1, p) % p
    else:
        slope = (two[1] - one[1]) * pow(two[0] - one[0], -1, p) % p
    x = (slope * slope - one[0] - two[0]) % p
    return x, (slope * (one[0] - x) - one[1]) % p
