"""What may move between two readings of /proc, and what CRIU's images do not hold: both with reasons."""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """Keys that match `pattern`, part by part (`facts.compare`)."""

    pattern: tuple[str, ...]
    reason: str


MOVES: tuple[Rule, ...] = ()
NOT_SAID: tuple[Rule, ...] = ()
