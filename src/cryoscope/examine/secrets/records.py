"""What a rule is, what it says of bytes, and what is found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from cryoscope import limits
from cryoscope.checkpoint.memory import Address
from cryoscope.examine.search.hits import Holder, Mapping, Owner

CONFIDENCES = ("low", "medium", "high", "certain")
"""From `low` (looks like it) to `certain` (a checksum or the arithmetic of a key holds)."""

SEVERITIES = ("low", "medium", "high", "critical")

KINDS = ("key", "token", "cloud-key", "password", "hash", "card")


class Verdict(NamedTuple):
    """A secret in the bytes that a pattern matched.

    `value` is the secret alone, `at` where the thing begins in the match, `details` what is known of it
    without giving it away, `public` how many characters the value begins with that every such secret has.
    """

    value: bytes
    confidence: str = "high"
    details: dict[str, Any] = {}
    at: int = 0
    public: int = 0
    severity: str | None = None


class Known(NamedTuple):
    """What is known around the bytes: the time of the checkpoint, in seconds since 1970, if it is."""

    time: float | None = None


Judge = Callable[[bytes, Known], Iterable[Verdict]]
"""The secrets in bytes that a pattern of the rule matched.  Never raises, whatever the bytes."""


class Rule(NamedTuple):
    """One kind of secret: the regular expressions over bytes that find it, and the function that decides.

    What a `generic` rule finds is left out where another rule knows the same value better.  Of more than
    `most` different matches the rest is not judged.
    """

    id: str
    title: str
    kind: str
    severity: str
    patterns: tuple[bytes, ...]
    judge: Judge
    generic: bool = False
    most: int = limits.SECRET_CANDIDATES


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a secret stands.

    `place` is one of `search.hits.PLACES`, or `environment`, `cmdline` or `spec`, which say in `name`
    which variable or argument it was.  `member` and `offset` are those of the bytes in the archive.
    """

    place: str
    name: str | None = None
    address: Address | None = None
    vma: Mapping | None = None
    processes: list[Owner] = []
    holders: list[Holder] = []
    object: int | None = None
    path: str | None = None
    member: str | None = None
    offset: int | None = None


class Who(msgspec.Struct, frozen=True, order=True):
    """A process that has a secret."""

    pid: int
    comm: str


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One secret, wherever it stands.

    `count` is how often it was found, `places` the first of these places.  `value` is the secret, as text,
    with `value_base64` where it is not UTF-8; `size` its bytes; `public` how many characters of it are
    the mark of its kind.
    """

    rule: str
    title: str
    kind: str
    severity: str
    confidence: str
    value: str
    value_base64: str | None = None
    size: int
    public: int = 0
    details: dict[str, Any] = {}
    count: int
    processes: list[Who] = []
    places: list[Place] = []


class SecretsResult(msgspec.Struct, frozen=True):
    """All findings, the worst first; `notes` says what was left out, `complete` if the scan was whole."""

    findings: list[Finding]
    notes: list[str] = []
    complete: bool = True
