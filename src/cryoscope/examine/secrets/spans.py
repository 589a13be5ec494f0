"""Matches that begin where the search engine says that one may."""

from __future__ import annotations

import re
from collections.abc import Iterator


def matches_from(regex: re.Pattern[bytes], data: bytes, low: int, high: int) -> Iterator[re.Match[bytes]]:
    """The matches, one behind the other, that begin from `low` up to but not including `high`."""
    at = low
    while at < high:
        match = regex.match(data, at)
        if match is not None:
            yield match
        at = max(at + 1, match.end() if match else 0)
