"""What a scan gives: one record for each rule that matched in a unit."""

from __future__ import annotations

import msgspec

from cryoscope.checkpoint.memory import Address
from cryoscope.examine.search.hits import Holder, Mapping, Owner


class Meta(msgspec.Struct, frozen=True):
    """One entry of a rule's `meta` section."""

    name: str
    value: str | int | float | bool


class YaraMatch(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Where a string was found: `size` bytes, the first of them shown.

    `address` is that of the hit's first process, `vma` is told where it is not the hit's; `member` and
    `offset` say where in the archive the first byte lies (of files in a tar in the archive, the offset in
    the file).  `match_base64` is there where the bytes are not UTF-8 text.
    """

    match: str
    match_base64: str | None = None
    size: int
    address: Address | None = None
    vma: Mapping | None = None
    member: str | None = None
    offset: int | None = None
    xor_key: int | None = None


class YaraString(msgspec.Struct, frozen=True, omit_defaults=True):
    """A string of a rule: `count` is how often it was found, `matches` are the first of these.

    `more` says that it was found more often than is counted.
    """

    identifier: str
    count: int
    matches: list[YaraMatch]
    more: bool = False


class YaraHit(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A rule that matched in a unit of `scanned` bytes.

    `place` is one of `search.hits.PLACES`; `processes` map the first match (or the unit's first byte),
    `holders` hold a pipe, socket, terminal or deleted file, `object` is its number, `path` that of a file.
    """

    rule: str
    namespace: str
    tags: list[str] = []
    meta: list[Meta] = []
    place: str
    scanned: int
    address: Address | None = None
    vma: Mapping | None = None
    processes: list[Owner] = []
    holders: list[Holder] = []
    object: int | None = None
    path: str | None = None
    member: str | None = None
    offset: int | None = None
    strings: list[YaraString] = []


class YaraResult(msgspec.Struct, frozen=True):
    """All hits in the order of rule, place and address; `notes` says what was left out."""

    hits: list[YaraHit]
    notes: list[str] = []
