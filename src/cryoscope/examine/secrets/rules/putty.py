"""PuTTY's private keys, versions 2 and 3 (PuTTY manual, appendix C).

Of a key without a passphrase the MAC is checked: HMAC-SHA-1 under a fixed key (2), HMAC-SHA-256 under an
empty one (3), over algorithm, encryption, comment, public and private half, each with its length.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from typing import Any

from cryoscope import limits
from cryoscope.examine.secrets.armor import decoded
from cryoscope.examine.secrets.openssh import fingerprint
from cryoscope.examine.secrets.records import Known, Rule, Verdict

MARK = rb"PuTTY-User-Key-File-[23]: "
LINES = re.compile(
    rb"PuTTY-User-Key-File-(?P<version>[23]): (?P<algorithm>[a-z0-9@.-]{3,40})\r?\n"
    rb"Encryption: (?P<encryption>none|aes256-cbc)\r?\n"
    rb"Comment: (?P<comment>[^\r\n]{0,200})\r?\n"
    rb"Public-Lines: \d{1,3}\r?\n(?P<public>(?:[A-Za-z0-9+/=]{1,64}\r?\n)+)"
    rb"(?:(?:Key-Derivation|Argon2-[A-Za-z]+): [^\r\n]{1,100}\r?\n)*"
    rb"Private-Lines: \d{1,3}\r?\n(?P<private>(?:[A-Za-z0-9+/=]{1,64}\r?\n)+)"
    rb"Private-MAC: (?P<mac>[0-9a-f]{40,64})"
)


def judge(data: bytes, _known: Known) -> Iterator[Verdict]:
    """The keys in a match."""
    for found in LINES.finditer(data):
        public = decoded(b"".join(found["public"].split()))
        details: dict[str, Any] = {
            "algorithm": found["algorithm"].decode("ascii"),
            "format": f"PuTTY {found['version'].decode('ascii')}",
            "comment": found["comment"].decode("utf-8", "replace"),
            "fingerprint": fingerprint(public),
            "encrypted": found["encryption"] != b"none",
        }
        if details["encrypted"]:
            yield Verdict(found[0], "high", details, at=found.start())
        else:
            yield Verdict(
                found[0], "certain" if _fits(found, public) else "medium", details, at=found.start()
            )


def _fits(found: re.Match[bytes], public: bytes) -> bool:
    private = decoded(b"".join(found["private"].split()))
    parts = (found["algorithm"], found["encryption"], found["comment"], public, private)
    text = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    if found["version"] == b"2":
        key = hashlib.sha1(b"putty-private-key-file-mac-key", usedforsecurity=False).digest()
        return hmac.new(key, text, hashlib.sha1).hexdigest().encode() == found["mac"]
    return hmac.new(b"", text, hashlib.sha256).hexdigest().encode() == found["mac"]


RULES = (
    Rule(
        "private-key-putty",
        "Private key (PuTTY)",
        "key",
        "critical",
        (MARK + rb"[\t\n\r -~]{200,9000}",),
        judge,
        most=limits.SECRET_KEYS,
    ),
)
