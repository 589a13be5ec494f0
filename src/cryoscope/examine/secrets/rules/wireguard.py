"""WireGuard keys in configurations (wg(8)): 32 bytes in base64 behind their names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.examine.secrets.armor import decoded
from cryoscope.examine.secrets.records import Known, Rule, Verdict
from cryoscope.examine.secrets.words import made_up

LINE = re.compile(
    rb"(?P<name>PrivateKey|PresharedKey)[ \t]*=[ \t]*(?P<value>[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)"
)


def judge(data: bytes, _known: Known) -> Iterator[Verdict]:
    """The key; a private one was made for Curve25519 if its bits are set as RFC 7748, 5 says."""
    found = LINE.match(data)
    if found is None or made_up(found["value"]):
        return
    raw = decoded(found["value"])
    clamped = raw[0] & 7 == 0 and raw[31] & 0xC0 == 0x40
    sure = "high" if clamped or found["name"] == b"PresharedKey" else "medium"
    yield Verdict(found["value"], sure, {"name": found["name"].decode("ascii"), "format": "WireGuard"})


RULES = (
    Rule(
        "wireguard-key", "WireGuard key", "key", "critical", (LINE.pattern + rb"(?![A-Za-z0-9+/=])",), judge
    ),
)
