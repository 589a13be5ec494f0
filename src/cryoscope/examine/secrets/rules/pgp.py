"""OpenPGP secret keys (RFC 9580): in armour (6), and as packets (5.5.3).

A packet of version 4 holds a time, an algorithm, the public numbers, then how the secret ones are
encrypted; where they are not, n = p·q is checked for RSA.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from cryoscope import limits
from cryoscope.checkpoint.container.dumps import EPOCH
from cryoscope.examine.secrets.armor import decoded, without_line_ends
from cryoscope.examine.secrets.records import Known, Rule, Verdict

ARMOUR = re.compile(rb"-----BEGIN PGP PRIVATE KEY BLOCK-----(?P<rest>[^-]{64,15000})")
HEADERS = re.compile(rb"(?:(?:\\+[rn]|\s)*+[A-Z][A-Za-z]{2,20}: [^\n\\]{0,200})*")
SUM = re.compile(rb"(?:\\+[rn]|\s)=(?P<sum>[A-Za-z0-9+/]{4})")
PACKETS = rb"\x95[\x01-\x0f].\x04[\x38-\x8f]...\x01[\x04\x08\x0c\x10]\x00"
PACKET = re.compile(PACKETS, re.DOTALL)
ALGORITHMS = {
    1: "RSA",
    16: "ElGamal",
    17: "DSA",
    18: "ECDH",
    19: "ECDSA",
    22: "EdDSA",
    25: "X25519",
    27: "Ed25519",
}


def crc24(data: bytes) -> int:
    """The checksum of armour (RFC 9580, 6.1)."""
    found = 0xB704CE
    for byte in data:
        found ^= byte << 16
        for _ in range(8):
            found <<= 1
            if found & 0x1000000:
                found ^= 0x1864CFB
    return found & 0xFFFFFF


def judge(data: bytes, _known: Known) -> Iterator[Verdict]:
    """The blocks in a match that begin with a secret-key packet."""
    for block in ARMOUR.finditer(data):
        rest = block["rest"]
        head = HEADERS.match(rest)
        body = rest[head.end() if head else 0 :]
        total = SUM.search(body)
        raw = decoded(without_line_ends(body[: total.start()] if total else body))
        details = packet(raw)
        if details is not None:
            fits = total is not None and decoded(total["sum"]) == crc24(raw).to_bytes(3, "big")
            yield Verdict(block[0], "certain" if fits else "high", details, at=block.start())


def packet(raw: bytes) -> dict[str, Any] | None:
    """What the secret-key packet at the beginning of `raw` says; None where there is none."""
    if len(raw) < 20 or not raw[0] & 0x80:
        return None
    old = not raw[0] & 0x40
    tag = (raw[0] & 0x3C) >> 2 if old else raw[0] & 0x3F
    head = _old_head(raw[0]) if old else _new_head(raw[1])
    body = raw[head:]
    if tag not in (5, 7) or len(body) < 6 or body[0] not in (4, 5, 6) or body[5] not in ALGORITHMS:
        return None
    return {"algorithm": ALGORITHMS[body[5]], "format": f"OpenPGP {body[0]}", "created": _time(body)}


def _old_head(first: int) -> int:
    return {0: 2, 1: 3, 2: 5, 3: 1}[first & 3]


def _new_head(length: int) -> int:
    return 2 if length < 192 else 3 if length < 224 else 6


def _time(body: bytes) -> str:
    return (EPOCH + timedelta(seconds=int.from_bytes(body[1:5], "big"))).strftime("%Y-%m-%dT%H:%M:%SZ")


def judge_packets(data: bytes, _known: Known) -> Iterator[Verdict]:
    """Packets of RSA keys, whole and decoded."""
    for head in PACKET.finditer(data):
        raw = data[head.start() :]
        size = 3 + int.from_bytes(raw[1:3], "big")
        details = packet(raw)
        encrypted = _secret_numbers(raw[9:size]) if len(raw) >= size else None
        if details is not None and encrypted is not None:
            sure = "high" if encrypted else "certain"
            yield Verdict(raw[:size], sure, details | {"encrypted": encrypted}, at=head.start())


def _secret_numbers(rest: bytes) -> bool | None:
    """Whether the numbers behind the public ones are encrypted; None where they are none."""
    found = _numbers(rest, 2)
    if found is None or found[0][0].bit_length() < 1000 or found[0][1] not in (3, 5, 17, 257, 65537):
        return None
    (n, _), behind = found
    if behind[:1] in (b"\xfe", b"\xff") and behind[1:2] in (b"\x07", b"\x08", b"\x09"):
        return True
    secret = _numbers(behind[1:], 4) if behind[:1] == b"\0" else None
    return False if secret is not None and secret[0][1] * secret[0][2] == n else None


def _numbers(data: bytes, count: int) -> tuple[list[int], bytes] | None:
    """Numbers with their length in bits before them."""
    numbers: list[int] = []
    for _ in range(count):
        bits = int.from_bytes(data[:2], "big")
        size = -(-bits // 8)
        numbers.append(int.from_bytes(data[2 : 2 + size], "big"))
        if len(data) < 2 + size or numbers[-1].bit_length() != bits:
            return None
        data = data[2 + size :]
    return numbers, data


RULES = (
    Rule(
        "private-key-pgp",
        "OpenPGP secret key",
        "key",
        "critical",
        (rb"-----BEGIN PGP PRIVATE KEY BLOCK-----[^-]{64,15000}",),
        judge,
        most=limits.SECRET_KEYS,
    ),
    Rule(
        "private-key-pgp-packet",
        "OpenPGP secret key (packet)",
        "key",
        "critical",
        (PACKETS + rb"(?s:.){200,4096}",),
        judge_packets,
        most=limits.SECRET_KEYS,
    ),
)
