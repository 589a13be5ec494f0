"""The history of BusyBox's line editor (libbb.h, line_input_t): ash and hush.

Three numbers (entries, the one looked at, the most), with a history file a fourth and a pointer to the
file's name, then the entries: pointers to text, without a time.  What stands before differs between
releases, so the numbers are looked for, and believed if every pointer behind them leads to text.
"""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope import limits
from cryoscope.checkpoint.memory import AddressSpace
from cryoscope.examine.memory.reading import Reader
from cryoscope.examine.shell_history.memory import Entry, Part, text_at, writable

WORD = 8
LEAST_ROOM, MOST_ROOM = 8, 9999
"""What BusyBox can be built with as the length of its history, and no fewer than is of use."""
WITH_FILE, WITHOUT = 24, 16
"""Bytes from the numbers to the entries."""


def entries(space: AddressSpace, reader: Reader) -> list[Entry]:
    """The entries in the memory of a process, in order."""
    found: list[Entry] = []
    tried = 0
    for part in writable(space, reader):
        for place in _numbers(part):
            tried += 1
            if tried > limits.HISTORY_ENTRIES:
                return found
            found += _list(space, part.address + place)
    return found


def _numbers(part: Part) -> Iterator[int]:
    """Where in a part the three numbers may stand."""
    import numpy as np

    rows = np.frombuffer(part.data, "<u4", len(part.data) // 16 * 4)
    for shift in (0, 2):
        four = rows[shift : shift + (len(rows) - shift) // 4 * 4].reshape(-1, 4)
        count, current, most, in_file = four.T
        fits = (count > 0) & (count <= most) & (current <= count) & (in_file <= most)
        fits &= (most >= LEAST_ROOM) & (most <= MOST_ROOM)
        yield from (np.flatnonzero(fits) * 16 + shift * 4).tolist()


def _list(space: AddressSpace, at: int) -> list[Entry]:
    """The entries behind numbers; none unless all of them are text."""
    head = space.read_known(at, WITH_FILE)
    if len(head) < WITH_FILE:
        return []
    count, most = int.from_bytes(head[:4], "little"), int.from_bytes(head[8:12], "little")
    name = text_at(space, int.from_bytes(head[16:24], "little"))
    named = name is not None and name.startswith(b"/") and name.endswith(b"history")
    found = _texts(space, at + (WITH_FILE if named else WITHOUT), count, most)
    return found if named or len(found) > 1 else []


def _texts(space: AddressSpace, at: int, count: int, most: int) -> list[Entry]:
    room = space.read_known(at, WORD * min(count + 1, most))
    words = [int.from_bytes(room[i : i + WORD], "little") for i in range(0, len(room) // WORD * WORD, WORD)]
    if len(words) < count or len(set(words[:count])) < count or (count < most and words[count:] != [0]):
        return []
    found = []
    for place, pointer in enumerate(words[:count]):
        text = text_at(space, pointer) if pointer else None
        if text is None:
            return []
        found.append(Entry(at + WORD * place, pointer, text, None))
    return found
