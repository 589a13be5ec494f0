"""Numbers of payment cards (ISO/IEC 7812): an issuer's prefix, its length, the check digit of Luhn.

One in ten rows of digits passes Luhn, so the rest must be right: nothing that continues the number on
either side, the same separator in all the usual places, digits that vary.  What stands apart is likelier.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.examine.secrets.records import Known, Rule, Verdict

ISSUERS = (
    ("American Express", (15,), re.compile(rb"3[47]")),
    ("Visa", (13, 16, 19), re.compile(rb"4")),
    ("Mastercard", (16,), re.compile(rb"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720")),
    ("Discover", (16,), re.compile(rb"6011|64[4-9]|65")),
    ("JCB", (16,), re.compile(rb"35(?:2[89]|[3-8])")),
    ("Diners Club", (14,), re.compile(rb"3(?:0[0-5]|[68])")),
    ("UnionPay", (16, 17, 18, 19), re.compile(rb"62")),
)
TESTS = frozenset(
    b"4111111111111111 4242424242424242 4012888888881881 4000056655665556 5555555555554444 5105105105105100 "
    b"2223003122003222 378282246310005 371449635398431 6011111111111117 6011000990139424 3530111333300000 "
    b"30569309025904 38520000023237 4222222222222 4000000000000002 5200828282828210 6200000000000005".split()
)
"""Numbers that payment providers publish for tests."""
SHAPES = re.compile(rb"\d+|\d{4}([ -])\d{4}\1\d{4}\1\d{4}|3\d{3}([ -])\d{6}\2\d{4,5}")
EDGE = rb"(?<![0-9A-Za-z.,_=+/:@#%-])"
BEHIND = rb"(?![0-9A-Za-z_=+/@#%-]|[.,:]\d)"


def luhn(digits: bytes) -> bool:
    """Whether the last digit is the check digit."""
    total = 0
    for place, byte in enumerate(reversed(digits)):
        digit = byte - 48
        total += digit if place % 2 == 0 else digit * 2 - 9 * (digit > 4)
    return total % 10 == 0


def issuer(digits: bytes) -> str | None:
    """Who issues numbers of this length and beginning."""
    for name, lengths, prefix in ISSUERS:
        if len(digits) in lengths and prefix.match(digits):
            return name
    return None


def judge(data: bytes, _known: Known) -> Iterator[Verdict]:
    """The number, with its issuer and last four digits."""
    digits = bytes(byte for byte in data if 48 <= byte <= 57)
    name = issuer(digits)
    if SHAPES.fullmatch(data) is None or name is None or not luhn(digits):
        return
    details = {"issuer": name, "last_four": digits[-4:].decode("ascii")}
    if digits in TESTS:
        yield Verdict(digits, "low", details | {"test_number": True})
    elif len(set(digits)) >= 5 and digits.count(b"0") <= 8 and b"0000000" not in digits:
        apart = len(data) > len(digits)
        common = name in ("Visa", "Mastercard", "American Express") and len(digits) in (15, 16)
        yield Verdict(digits, "high" if apart else "medium" if common else "low", details)


RULES = (
    Rule(
        "card-number",
        "Number of a payment card",
        "card",
        "high",
        (
            EDGE + rb"[2-6]\d{12,18}" + BEHIND,
            EDGE + rb"[2-6]\d{3}[ -]\d{4}[ -]\d{4}[ -]\d{4}" + BEHIND,
            EDGE + rb"3\d{3}[ -]\d{6}[ -]\d{4,5}" + BEHIND,
        ),
        judge,
    ),
)
