"""Sockets of the container: by what they are bound and connected to, whoever holds them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cryoscope.checkpoint.process.holders import HeldSocket
from cryoscope.examine.diff.aspect import Aspect, Sides, Thing, compare, numbered
from cryoscope.examine.diff.records import Difference, Value

NAME = "sockets"


def _compare(sides: Sides) -> Iterator[Difference]:
    old = _table(sides.old.sockets, sides.pid_after)
    yield from compare(NAME, old, _table(sides.new.sockets, {}))


def _table(found: list[HeldSocket], after: dict[int, int]) -> dict[str, Thing]:
    rows = [(_subject(held), _thing(held, after)) for held in found]
    return numbered(sorted(rows, key=lambda row: (row[0], row[1].shown)))


def _subject(held: HeldSocket) -> str:
    s = held.socket
    ends = " -> ".join(end for end in (s.local or "-", s.remote) if end)
    return " ".join(filter(None, (s.family, s.type, s.protocol if s.protocol != s.family else None, ends)))


def _thing(held: HeldSocket, after: dict[int, int]) -> Thing:
    s = held.socket
    holders = sorted(f"{after.get(h.pid, h.pid)}/{h.comm}:{h.fd}" for h in held.holders)
    fields: dict[str, Value | None] = {
        "state": s.state,
        "recv_queue": str(s.recv_queue),
        "send_queue": str(s.send_queue),
        "backlog": str(s.backlog),
        "device": s.device,
        "shutdown": s.shutdown,
        "deleted": "yes" if s.deleted else None,
        "holders": holders,
    }
    return Thing(" ".join(filter(None, (s.state, *holders))), fields)


ASPECT = Aspect(
    NAME, re.compile(r"fdinfo|files|sk\b|inetsk|unixsk|netlinksk|packetsk|tcp-stream|queue|pstree"), _compare
)
