"""A match as the record that is shown."""

from __future__ import annotations

from typing import Any

from cryoscope.examine.search.confirm import Match
from cryoscope.examine.search.hits import Context, Hit
from cryoscope.examine.search.patterns import Pattern
from cryoscope.text import readable, with_bytes

AROUND = 32
"""Bytes of context on either side."""

SHOWN = 512
"""Bytes of a match that are in its context, too; the match itself is whole."""


def record(pattern: Pattern, place: str, match: Match, **fields: Any) -> Hit:
    """The hit that a match is."""
    return Hit(
        pattern=readable(pattern.name),
        encoding=pattern.encoding,
        place=place,
        size=match.size,
        context=_context(match),
        **_text(pattern, match.bytes),
        **fields,
    )


def _text(pattern: Pattern, data: bytes) -> dict[str, Any]:
    if pattern.encoding != "utf-16le":
        return with_bytes("match", data)
    import base64

    text = data.decode("utf-16-le", "backslashreplace")
    return {"match": readable(text), "match_base64": base64.b64encode(data).decode("ascii")}


def _context(match: Match) -> Context:
    at = match.address - match.start
    low = max(0, at - AROUND)
    data = match.data[low : at + min(match.size, SHOWN) + AROUND]
    return Context(at - low, readable(data), data.hex())
