"""JSON Lines for Timesketch: `message`, `datetime`, `timestamp` (microseconds), `timestamp_desc` and more.

Defined in Timesketch's docs/guides/user/import-from-json-csv.md; timesketch/lib/utils.py reads it.  All times
have the same number of digits: pandas drops those that differ from the first, and what is not between 1677
and 2262.  The file's name must end in .jsonl.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from cryoscope.examine.timeline.moments import iso
from cryoscope.text import escape_json

EARLIEST, LATEST = -9223372036854775, 9223372036854775
"""Microseconds that pandas can hold."""

MORE = (
    "source",
    "text",
    "precision",
    "assumed",
    "pid",
    "comm",
    "path",
    "member",
    "size",
    "mode",
    "uid",
    "gid",
)

ASSUMED = {
    "moment": "counted from the time of the dump",
    "zone": "its zone is assumed",
    "year and zone": "its year and zone are assumed",
}


def lines(parts: Sequence[Any], notes: list[str]) -> Iterator[str]:
    """One object an event."""
    for record in records(parts, notes):
        known = {key: value for key, value in record.items() if value is not None}
        yield escape_json(msgspec.json.encode(known)).decode()


def records(parts: Sequence[Any], notes: list[str]) -> Iterator[dict[str, Any]]:
    """The fields of each event, all with the same keys; those that Timesketch cannot hold are counted."""
    beyond = 0
    for part in parts:
        for event in part.events:
            micros = None if event.time_ns is None else event.time_ns // 1000
            if micros is None or not EARLIEST < micros < LATEST:
                beyond += 1
            else:
                yield _record(part, event, micros)
    if beyond:
        notes.append(f"{beyond} events before 1677 or after 2262 are left out: Timesketch cannot hold them")


def _record(part: Any, event: Any, micros: int) -> dict[str, Any]:
    about = f" ({ASSUMED[event.assumed]})" if event.assumed in ASSUMED else ""
    return {
        "message": f"{event.kind}: {event.text}{about}",
        "datetime": iso(micros * 1000, "us").replace("Z", "+00:00"),
        "timestamp": micros,
        "timestamp_desc": event.kind,
        "data_type": f"cryoscope:timeline:{event.source}",
        "time_exact": event.time,
        "hostname": part.host,
        "archive": part.archive,
    } | {field: getattr(event, field) for field in MORE}
