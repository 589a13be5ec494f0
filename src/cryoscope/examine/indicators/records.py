"""What is found."""

from __future__ import annotations

import msgspec

from cryoscope.checkpoint.memory import Address
from cryoscope.errors import Damaged

KINDS = ("url", "ip", "email", "domain")


class Seen(msgspec.Struct, frozen=True):
    """A process that has an indicator, how often, and the first address of it there."""

    pid: int
    comm: str
    count: int
    address: Address


class Indicator(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One value.  `count` is over all processes, of which the first are named; `address` is the first
    one's.  `note` says of an address that it is private, loopback or otherwise of no network."""

    kind: str
    value: str
    count: int
    address: Address
    note: str | None = None
    processes: list[Seen] = []


class IndicatorsResult(msgspec.Struct, frozen=True):
    """All indicators, the most frequent first; `notes` says what was left out."""

    indicators: list[Indicator]
    notes: list[str] = []
    damaged: list[Damaged] = []
