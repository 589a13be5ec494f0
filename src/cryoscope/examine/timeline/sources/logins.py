"""Logins and boots in wtmp, btmp and utmp that the container wrote: the C library's utmp(5), 384 bytes each.

Times are 32 bits of seconds and of microseconds, also on 64-bit machines; musl writes none.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from cryoscope import limits
from cryoscope.checkpoint.rootfs import FileEntry
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.timeline.asked import Asked
from cryoscope.examine.timeline.records import Event, Moment
from cryoscope.text import readable

SOURCE = "login"
NAMES = ("wtmp", "btmp", "utmp")
RECORD = struct.Struct("<h2xi32s4s32s256s2hiII16s20x")
KINDS = {1: "run level changed", 2: "system booted", 6: "login awaited", 7: "logged in", 8: "logged out"}


def look(asked: Asked) -> Iterator[Event]:
    """Each record that has a time."""
    left, files = limits.TIMELINE_LOGS, 0
    for entry in asked.checkpoint.filesystem.entries:
        name = entry.path.rpartition("/")[2]
        if name not in NAMES or not entry.has_contents:
            continue
        files += 1
        if files > limits.TIMELINE_LOG_FILES or left <= 0:
            asked.notes.append("logins among the changed files are left out: there are too many")
            return
        data = _data(asked, entry)
        left -= len(data)
        for at in range(0, len(data) - RECORD.size + 1, RECORD.size):
            yield from _event(asked, RECORD.unpack_from(data, at), name, entry.path, entry.member)


def _data(asked: Asked, entry: FileEntry) -> bytes:
    """The beginning of a file; nothing of one that cannot be read, which is named."""
    try:
        return asked.checkpoint.filesystem.read(entry, limits.TIMELINE_LOG)
    except CryoscopeError as error:
        asked.damaged.append(Damaged(f"{entry.member}: {entry.path}", error.message, error.code))
        return b""


def _event(asked: Asked, record: tuple[Any, ...], name: str, path: str, member: str | None) -> list[Event]:
    kind, pid, seconds, part = record[0], record[1], record[9], record[10]
    if kind not in KINDS or not seconds:
        return []
    meaning = "login failed" if name == "btmp" else KINDS[kind]
    user, line, host = (_text(record[index]) for index in (4, 2, 5))
    text = f"{user or '-'} on {line or '-'}" + (f" from {host}" if host else "")
    moment = Moment((seconds * 1_000_000 + min(part, 999_999)) * 1000, "us")
    return asked.event(moment, SOURCE, meaning, f"{text} (pid {pid})", path=path, member=member)


def _text(field: bytes) -> str:
    return readable(field.partition(b"\0")[0])
