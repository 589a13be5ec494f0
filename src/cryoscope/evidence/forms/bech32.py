"""Bech32 as age has it: BIP 173 without its limit on length."""

from __future__ import annotations

from collections.abc import Iterable

LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
CHECK = 6


def decode(text: str) -> tuple[str, bytes]:
    """The prefix, in lower case, and the bytes; ValueError if it is none, or its checksum is wrong."""
    if text not in (text.lower(), text.upper()) or not text.isascii():
        raise ValueError("mixed case")
    prefix, one, rest = text.lower().rpartition("1")
    if not one or not prefix or len(rest) < CHECK:
        raise ValueError("no separator")
    values = [LETTERS.index(letter) for letter in rest]
    if _polymod([*_expanded(prefix), *values]) != 1:
        raise ValueError("checksum")
    return prefix, _bytes(values[:-CHECK])


def encode(prefix: str, data: bytes) -> str:
    """The text of some bytes, in lower case."""
    values = list(_regroup(data, 8, 5))
    rest = _polymod([*_expanded(prefix), *values, *[0] * CHECK]) ^ 1
    check = [rest >> 5 * (CHECK - 1 - place) & 31 for place in range(CHECK)]
    return f"{prefix}1{''.join(LETTERS[value] for value in [*values, *check])}"


def _expanded(prefix: str) -> list[int]:
    codes = prefix.encode()
    return [code >> 5 for code in codes] + [0] + [code & 31 for code in codes]


def _polymod(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(GENERATORS):
            if top >> place & 1:
                check ^= generator
    return check


def _bytes(values: list[int]) -> bytes:
    used = len(values) * 5 // 8
    data = bytes(_regroup(values, 5, 8))
    rest = len(values) * 5 - used * 8
    if rest >= 5 or any(data[used:]):
        raise ValueError("padding")
    return data[:used]


def _regroup(values: Iterable[int], width: int, wanted: int) -> Iterable[int]:
    """Bits in groups of another width; the last is filled up with zeros."""
    bits = held = 0
    for value in values:
        bits, held = bits << width | value, held + width
        while held >= wanted:
            held -= wanted
            yield bits >> held & (1 << wanted) - 1
        bits &= (1 << held) - 1
    if held:
        yield bits << wanted - held & (1 << wanted) - 1
