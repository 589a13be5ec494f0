"""Private keys in PEM (RFC 7468), in text, in JSON strings, and as base64 of the whole (kubeconfig, Secrets).

Bodies are decoded and parsed (`keys`); a header alone is nothing, since every library holds some.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from cryoscope import limits
from cryoscope.examine.secrets import armor, openssh
from cryoscope.examine.secrets.der import DerError, element
from cryoscope.examine.secrets.keys import read_key
from cryoscope.examine.secrets.records import Known, Rule, Verdict

LABEL = rb"(?:RSA |EC |DSA |ENCRYPTED |OPENSSH |ANY )?PRIVATE KEY"
HEAD = re.compile(rb"-----BEGIN (?P<label>" + LABEL + rb")-----")
BODY = rb"(?:[^-]|-(?!----)){64,14000}"
END = re.compile(rb"-----END " + LABEL + rb"-----")
LINE_ENDS = re.compile(rb"(?:\\+[rnt]|\s)+")
HEADER_LINE = re.compile(rb"[A-Za-z0-9-]{1,30}:[ \t]*+(?P<value>[^\n\\]*+)(?:\\+r|\r)?(?:\\+n|\n)")
BASE64 = re.compile(rb"[A-Za-z0-9+/]{48,}={0,2}")
ENCODED = b"LS0tLS1CRUdJTi"
"""base64 of `-----BEGIN`, where it begins at a multiple of three, as it does where all of it is encoded."""


def judge(data: bytes, _known: Known) -> Iterator[Verdict]:
    """The keys in a match, each as it stands there."""
    for head in HEAD.finditer(data):
        if (found := _key(data, head)) is not None:
            yield found


def _key(data: bytes, head: re.Match[bytes]) -> Verdict | None:
    body, encrypted = _headers(data[head.end() :])
    packed = BASE64.match(armor.without_line_ends(body))
    if packed is None:
        return None
    raw = armor.decoded(packed[0])
    details, confidence = _read(raw, head["label"], encrypted)
    if details is None:
        return None
    return Verdict(_whole(data, head, packed[0]), confidence, details, at=head.start())


def _headers(rest: bytes) -> tuple[bytes, str | None]:
    """What follows the lines of RFC 1421 (`DEK-Info: AES-128-CBC,...`), and the cipher they name."""
    cipher, at = None, LINE_ENDS.match(rest)
    begin = at.end() if at else 0
    while line := HEADER_LINE.match(rest, begin):
        if rest[begin:].startswith(b"DEK-Info"):
            cipher = line["value"].partition(b",")[0].decode("ascii", "replace")[:40]
        begin = line.end()
    return rest[begin:], cipher


def _read(raw: bytes, label: bytes, cipher: str | None) -> tuple[dict[str, Any] | None, str]:
    if cipher is not None:
        found = {"format": "PEM (RFC 1421)", "encrypted": True, "cipher": cipher}
        return (found, "high") if len(raw) >= 48 else (None, "")
    if label.startswith(b"OPENSSH"):
        return openssh.read(raw)
    try:
        key = read_key(raw)
    except DerError:
        return _cut(raw)
    return key.details(), "certain" if key.checked else "high"


def _cut(raw: bytes) -> tuple[dict[str, Any] | None, str]:
    """A key of which only the beginning is there."""
    try:
        element(raw)
    except DerError as error:
        if str(error) == "cut short" and raw[:1] == b"\x30" and raw[2:7].find(b"\x02\x01") >= 0:
            return {"format": "PEM", "incomplete": True}, "low"
    return None, ""


def _whole(data: bytes, head: re.Match[bytes], packed: bytes) -> bytes:
    """The key in one spelling, however its lines ended where it was found."""
    lines = [packed[at : at + 64] for at in range(0, len(packed), 64)]
    label = head["label"]
    return b"\n".join([head[0], *lines, b"-----END " + label + b"-----", b""])


def judge_encoded(data: bytes, known: Known) -> Iterator[Verdict]:
    """Keys of which the PEM text is base64 once more."""
    try:
        text = base64.b64decode(data[: len(data) // 4 * 4])
    except binascii.Error:
        return
    yield from (found._replace(at=0) for found in judge(text, known))


RULES = (
    Rule(
        "private-key-pem",
        "Private key (PEM)",
        "key",
        "critical",
        (rb"-----BEGIN " + LABEL + rb"-----" + BODY,),
        judge,
        most=limits.SECRET_KEYS,
    ),
    Rule(
        "private-key-base64",
        "Private key (PEM in base64: kubeconfig, Kubernetes Secret)",
        "key",
        "critical",
        (ENCODED + rb"[A-Za-z0-9+/]{100,15000}={0,2}",),
        judge_encoded,
        most=limits.SECRET_KEYS,
    ),
)
