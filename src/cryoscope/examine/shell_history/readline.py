"""The history list of GNU readline: bash, and whatever else reads lines with it (python, psql, gdb).

Each entry is `{char *line; char *timestamp; void *data}` (readline's history.h, HIST_ENTRY), three words
of 64 bits; the time is text, `#` and the seconds since 1970, kept whether or not HISTTIMEFORMAT is set.
So: find such texts, find words that point to them, take the word before as the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from cryoscope import limits
from cryoscope.checkpoint.memory import AddressSpace
from cryoscope.examine.memory.reading import Reader
from cryoscope.examine.shell_history.memory import Entry, text_at, writable

TIME = re.compile(rb"#(\d{9,11})\0")
LONGEST = 13
WORD = 8
LAST = 1 << 33
"""Seconds since 1970 that no command was entered after."""


def entries(space: AddressSpace, reader: Reader) -> list[Entry]:
    """The entries in the memory of a process, each once, in the order of their records."""
    times = dict(_times(space, reader))
    if not times:
        return []
    found = {}
    for place, stamp in _pointers(space, reader, times):
        entry = _entry(space, place - WORD, times[stamp])
        if entry is not None:
            found[entry.record] = entry
    return [found[record] for record in _in_order(space, reader, found)]


def _in_order(space: AddressSpace, reader: Reader, records: dict[int, Entry]) -> list[int]:
    """The records as the list has them: it is an array of pointers to them.

    The longest row of pointers is the list; shorter ones are what it was before it grew.
    """
    rows: list[list[int]] = []
    end = -1
    for place, record in _pointers(space, reader, records):
        if place != end:
            rows.append([])
        rows[-1].append(record)
        end = place + WORD
    rows.sort(key=len, reverse=True)
    return list(dict.fromkeys([*(record for row in rows for record in row), *records]))


def _times(space: AddressSpace, reader: Reader) -> Iterator[tuple[int, int]]:
    """Addresses of timestamps; one may lie across two pieces."""
    tail, end, count = b"", -1, 0
    for part in writable(space, reader):
        before = tail if part.address == end else b""
        data = before + part.data
        for match in TIME.finditer(data):
            if int(match[1]) < LAST:
                count += 1
                yield part.address - len(before) + match.start(), int(match[1])
        if count > limits.HISTORY_ENTRIES:
            return
        tail, end = part.data[-LONGEST:], part.address + len(part.data)


def _pointers(space: AddressSpace, reader: Reader, to: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Addresses of words that point to one of some addresses, and which it is."""
    import numpy as np

    wanted = np.array(sorted(to), np.uint64)
    count = 0
    for part in writable(space, reader):
        words = np.frombuffer(part.data, "<u8", len(part.data) // WORD)
        for place in np.flatnonzero(np.isin(words, wanted)).tolist():
            count += 1
            if count > limits.HISTORY_ENTRIES:
                return
            yield part.address + WORD * place, int(words[place])


def _entry(space: AddressSpace, record: int, time: int) -> Entry | None:
    pointer = int.from_bytes(space.read_known(record, WORD), "little")
    text = text_at(space, pointer) if pointer else None
    return None if text is None or TIME.match(text + b"\0") else Entry(record, pointer, text, time)
