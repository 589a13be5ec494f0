"""Private keys as bytes: DER of every kind, and OpenSSH's format without its armour.

Programs that have loaded a key keep it so.  Most of what looks like the head of one is chance: `keys`
checks the arithmetic, and what cannot be checked so must have the exact shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope import limits
from cryoscope.examine.secrets import openssh
from cryoscope.examine.secrets.der import DerError
from cryoscope.examine.secrets.keys import read_key
from cryoscope.examine.secrets.records import Known, Rule, Verdict

HEADS = (
    rb"\x30\x82[\x01-\x27].\x02\x01\x00\x02[\x41\x81\x82]",  # PKCS#1 and DSA
    rb"\x30\x82[\x01-\x27].\x02\x01\x00\x30[\x0b-\x0d]\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01",  # PKCS#8
    rb"\x30(?:[\x31-\x7f]|\x81.)\x02\x01[\x00\x01]\x30[\x10-\x14]\x06\x07\x2a\x86\x48\xce\x3d\x02\x01",  # EC
    rb"\x30(?:[\x25-\x7f]|\x81.)\x02\x01\x01\x04[\x14-\x48]",  # SEC1
    rb"\x30[\x2e\x38\x46\x47]\x02\x01\x00\x30\x05\x06\x03\x2b\x65[\x6e-\x71]\x04",  # Ed25519 and its like
)
HEAD = re.compile(b"|".join(HEADS), re.DOTALL)
MOST = 10240
"""Bytes of the largest key: RSA with 16,384 bits."""


def judge(data: bytes, _known: Known) -> Iterator[Verdict]:
    """The keys in a match; what lies inside one is part of it."""
    behind = 0
    for head in HEAD.finditer(data):
        if head.start() < behind:
            continue
        try:
            key = read_key(data[head.start() : head.start() + MOST])
        except DerError:
            continue
        if key.checked or key.bits is not None:
            behind = head.start() + key.size
            sure = "certain" if key.checked else "high"
            yield Verdict(
                data[head.start() : behind], sure, key.details() | {"encoding": "DER"}, at=head.start()
            )


def judge_openssh(data: bytes, _known: Known) -> Iterator[Verdict]:
    """OpenSSH keys, decoded."""
    for head in re.finditer(re.escape(openssh.MAGIC), data):
        try:
            details, checked, size = openssh.parse(data[head.start() :])
        except ValueError:
            continue
        value = data[head.start() : head.start() + size]
        yield Verdict(value, "certain" if checked else "high", details, at=head.start())


RULES = (
    Rule(
        "private-key-der",
        "Private key (DER)",
        "key",
        "critical",
        tuple(head + rb"(?s:.){32,%d}" % MOST for head in HEADS),
        judge,
        most=limits.SECRET_KEYS,
    ),
    Rule(
        "private-key-openssh",
        "Private key (OpenSSH, decoded)",
        "key",
        "critical",
        (re.escape(openssh.MAGIC) + rb"(?s:.){80,8192}",),
        judge_openssh,
        most=limits.SECRET_KEYS,
    ),
)
