"""CSV of log2timeline: seventeen columns, no quotation.

Defined in plaso's plaso/output/l2t_csv.py.  Commas within a field become spaces, as plaso does it; times are
in UTC to the second, and what is known more exactly stands in `extra`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cryoscope.report.cells import cell

COLUMNS = (
    "date",
    "time",
    "timezone",
    "MACB",
    "source",
    "sourcetype",
    "type",
    "user",
    "host",
    "short",
    "desc",
    "version",
    "filename",
    "inode",
    "notes",
    "format",
    "extra",
)
MACB = {
    "file modified": "M...",
    "file accessed": ".A..",
    "file changed": "..C.",
    "container created": "...B",
    "image created": "...B",
    "key created": "...B",
}
"""Modified, accessed, changed, born."""

FILES = ("rootfs", "tmpfs", "devshm", "volume", "ghost")
SHORT = {"log": "LOG", "logfile": "LOG", "history": "HIST", "login": "LOG"}
VERSION = "2"
SHOWN = 80
"""Characters of the short description."""


def lines(parts: Sequence[Any], _notes: list[str]) -> Iterator[str]:
    """The names of the columns, then one line an event."""
    yield ",".join(COLUMNS)
    for part in parts:
        for event in part.events:
            yield ",".join(cell(value.replace(",", " ")) for value in _cells(part, event))


def _cells(part: Any, event: Any) -> tuple[str, ...]:
    day, _, clock = event.time.partition("T")
    year, month, date = day.split("-")
    return (
        f"{month}/{date}/{year}",
        clock[:8],
        "UTC",
        MACB.get(event.kind, "...."),
        "FILE" if event.source in FILES else SHORT.get(event.source, "CKPT"),
        f"Checkpoint {event.source}",
        event.kind,
        str(event.uid) if event.uid is not None else "-",
        part.host or "-",
        event.text[:SHOWN],
        event.text,
        VERSION,
        event.path or event.member or part.archive,
        "-",
        f"assumed: {event.assumed}" if event.assumed else "-",
        f"cryoscope/{event.source}",
        "; ".join(f"{name}: {value}" for name, value in _extra(part, event)),
    )


def _extra(part: Any, event: Any) -> Iterator[tuple[str, object]]:
    yield "archive", part.archive
    for name in ("comm", "gid", "member", "mode", "pid", "precision", "size"):
        value = getattr(event, name)
        if value is not None:
            yield name, value
    yield "time", event.time
