"""age identities: bech32 (BIP 173) with the prefix AGE-SECRET-KEY-, 32 bytes."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.examine.secrets.records import Known, Rule, Verdict

ALPHABET = b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"
PREFIX = b"AGE-SECRET-KEY-"
STEPS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def checksum(prefix: bytes, values: list[int]) -> int:
    """The polynomial of BIP 173: 1 where the checksum at the end of `values` holds."""
    lower = prefix.lower()
    found = 1
    for value in [*(c >> 5 for c in lower), 0, *(c & 31 for c in lower), *values]:
        top, found = found >> 25, (found & 0x1FFFFFF) << 5 ^ value
        for bit, step in enumerate(STEPS):
            found ^= step if top >> bit & 1 else 0
    return found


def judge(data: bytes, _known: Known) -> Iterator[Verdict]:
    """The identity, if its checksum holds."""
    values = [ALPHABET.find(byte) for byte in data[len(PREFIX) + 1 :]]
    if values and min(values) >= 0 and checksum(PREFIX, values) == 1:
        yield Verdict(data, "certain", {"algorithm": "X25519", "format": "age"}, public=len(PREFIX) + 1)


RULES = (
    Rule(
        "age-secret-key",
        "age identity",
        "key",
        "critical",
        (rb"AGE-SECRET-KEY-1[" + ALPHABET + rb"]{58}(?![A-Z0-9])",),
        judge,
    ),
)
