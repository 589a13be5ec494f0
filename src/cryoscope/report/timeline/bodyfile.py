"""The body file of The Sleuth Kit 3 and later, which mactime sorts: only files have a place in it.

    MD5|name|inode|mode_as_string|UID|GID|size|atime|mtime|ctime|crtime

Defined in its wiki (wiki.sleuthkit.org, Body_file): times in seconds since 1970, 0 where one is not known, as
are digest and inode.  A name's `|` is spelled out: nothing else would tell it from the next field.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cryoscope.text import escape

TIMES = {"file accessed": 0, "file modified": 1, "file changed": 2}
"""Meanings, and which of the four times they are; none is known of when a file was created."""

LETTERS = {"-": "r"}
"""The letter of regular files, which ls writes otherwise."""

SECOND = 1_000_000_000


def lines(parts: Sequence[Any], notes: list[str]) -> Iterator[str]:
    """One line a file, in order of its first time."""
    others = 0
    for part in parts:
        files: dict[tuple[str, str, str | None], tuple[Any, list[int]]] = {}
        for event in part.events:
            if event.kind not in TIMES or event.time_ns is None or event.path is None:
                others += 1
                continue
            key = event.source, event.path_base64 or event.path, event.member
            _, times = files.setdefault(key, (event, [0, 0, 0, 0]))
            times[TIMES[event.kind]] = event.time_ns // SECOND
        prefix = f"{part.archive}:" if len(parts) > 1 else ""
        yield from (_line(event, times, prefix) for event, times in files.values())
    if others:
        notes.append(f"{others} events that are no file's are left out: a body file has no place for them")


def _line(event: Any, times: list[int], prefix: str) -> str:
    gone = " (deleted)" if event.source == "ghost" else ""
    name = escape(f"{prefix}{event.path}{gone}").replace("|", "\\x7c")
    facts = (0, name, 0, mode(event.mode), event.uid or 0, event.gid or 0, event.size or 0, *times)
    return "|".join(str(fact) for fact in facts)


def mode(text: str | None) -> str:
    """A mode as fls writes it: the type by name and by inode, then the rights."""
    if not text:
        return "-/----------"
    letter = LETTERS.get(text[0], text[0])
    return f"{letter}/{letter}{escape(text[1:])}"
