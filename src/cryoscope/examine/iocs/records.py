"""What an indicator of compromise is, and where it was seen."""

from __future__ import annotations

import msgspec

from cryoscope.checkpoint.memory import Address

KINDS = ("sha256", "path", "ip", "domain", "url", "email")
"""In the order in which those of the same confidence are shown."""

CONFIDENCES = ("low", "medium", "high")
"""How much speaks for it: bytes in memory only; somebody uses it; it belongs to what attackers do."""


class Sighting(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One place where an indicator was seen.

    `source` is socket, file, program, memfd, cmdline, environment, spec, memory or finding; `text` what was
    seen there, `address` the first place in the memory of `pid`, `count` how often it stands there, `offset`
    the place of a file's bytes in `member` of the archive.  Of sockets `port` is that of the other end.
    """

    source: str
    count: int = 1
    pid: int | None = None
    comm: str | None = None
    fd: int | None = None
    address: Address | None = None
    path: str | None = None
    member: str | None = None
    offset: int | None = None
    protocol: str | None = None
    port: int | None = None
    text: str | None = None


class Ioc(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One indicator: its value, how sure it is, and why; `count` is how often it was seen.

    Digests are those of whole files; `path` is the file's, `size` its bytes, `signature` a few rows of its
    bytes, in hex, by which it is known in memory as well.  `note` says of an address that it is private,
    loopback or otherwise of no network.  `sightings` are the first of them.
    """

    kind: str
    value: str
    confidence: str
    why: str
    count: int
    note: str | None = None
    path: str | None = None
    size: int | None = None
    signature: list[str] = []
    sightings: list[Sighting] = []


class IocsResult(msgspec.Struct, frozen=True):
    """All indicators, the surest first; `notes` says what was left out."""

    iocs: list[Ioc]
    notes: list[str] = []
