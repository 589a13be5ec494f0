"""What is no secret although it stands where one does: placeholders, examples, code.

All functions take bytes of strangers and answer in time linear in them.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter

PLACEHOLDER = re.compile(
    rb"(?i)x{4,}|\*{3,}|\.{3,}|#{3,}|_{4,}|-{4,}|example|change[-_. ]?(?:me|it)|place[-_ ]?holder"
    rb"|replace[-_ ]?(?:me|with)|^your?[-_ ]|[-_ ]your[-_ ]|dummy|redacted|masked|^<"
    rb"|\$\{|\{\{|\$\(|%\(|%[sdv]"
    rb"|^\$[A-Za-z_]|^%[A-Za-z_]+%$|^@[A-Za-z_]+@$|\{[A-Za-z_]*\}|^insert|^todo|^fixme|^undefined|^[(\[]"
    rb"|123456789|abcdefgh|^sample|^some[-_]"
)
"""Signs of a value that was meant to be replaced, of a format string or of a reference to a variable."""

WORDS = frozenset(
    b"none null nil true false yes no on off pass password passwd passphrase pwd secret secrets token "
    b"tokens key user username login admin root test testing foo bar baz spam eggs string bytes str int "
    b"bool object default required optional empty value unset disabled enabled file stdin prompt basic "
    b"bearer auth abc xyz private public hidden hello welcome localhost nopassword nopass mypassword "
    b"mypass mysecret mytoken letmein qwerty userpass pass1 password1 pass123 password123 secret123 "
    b"test123 s3cret p4ssword hunter2 anonymous guest".split()
)
"""Values of documentation, tests and source code."""


def entropy(data: bytes) -> float:
    """Shannon entropy in bits a byte, 0 for nothing."""
    total = len(data)
    return -sum(n / total * math.log2(n / total) for n in Counter(data).values()) if total else 0.0


def placeholder(value: bytes) -> bool:
    """Whether a value is a placeholder, an example or a word of documentation."""
    return value.strip(b"\"'").lower() in WORDS or bool(PLACEHOLDER.search(value)) or monotonous(value)


def monotonous(value: bytes) -> bool:
    """Whether a value has too few different characters, or is a row of neighbours such as `abcdefgh`."""
    if len(set(value)) < min(4, len(value)) or len(set(value)) * 8 < min(len(value), 64):
        return True
    steps = Counter((b - a) for a, b in itertools.pairwise(value))
    common = steps.most_common(1)
    return bool(common) and len(value) >= 6 and common[0][1] >= 0.8 * (len(value) - 1)


def made_up(value: bytes) -> bool:
    """Whether a token that carries its own mark is nevertheless only an example of one."""
    lower = value.lower()
    return monotonous(value) or any(
        word in lower for word in (b"example", b"xxxx", b"0000000", b"****", b"1234567890")
    )


def classes(value: bytes) -> int:
    """How many of lower case, upper case, digits and signs a value has."""
    kinds = (bytes.islower, bytes.isupper, bytes.isdigit, lambda c: not c.isalnum())
    return sum(any(kind(bytes([byte])) for byte in set(value)) for kind in kinds)
