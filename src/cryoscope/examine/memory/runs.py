"""Runs of printable characters in a batch of bytes, found by numpy.

What counts as printable is what binutils' `strings` takes: space to `~`, and tab.  In UTF-16
(little endian) each has a zero byte behind it.

One pass makes a mask of where characters begin; ANDing it with itself, shifted, leaves those that
begin `minimum` characters in a row.  Only what is left is looked at by position, which is why runs
that are too short cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Places = NDArray[np.int64]

NEWLINE = 10

# glibc gives large blocks back to the system when they are freed, and takes them anew, page by page,
# for every step of every batch: half the time of a search.  It does so only above the size of the
# largest block that was freed before.
del (_large := [np.empty(30 << 20, np.uint8)])[:]


class Runs(NamedTuple):
    """Where runs begin in the batch, rising, and their characters.

    Those of each are `lengths` bytes of `source` from `places` on; `text` gives all of them one after
    the other, a newline behind each.
    """

    starts: Places
    lengths: Places
    source: Bytes
    places: Places
    text: Callable[[], memoryview]


def ascii_runs(data: bytes | memoryview, minimum: int) -> Runs | None:
    """Runs of at least `minimum` ASCII characters."""
    return _runs(data, printable(np.frombuffer(data, np.uint8)), minimum, 1)


def utf16_runs(data: bytes | memoryview, minimum: int) -> Runs | None:
    """Runs of at least `minimum` ASCII characters in UTF-16, at even and odd addresses."""
    found = np.frombuffer(data, np.uint8)
    return _runs(data, printable(found[:-1]) & (found[1:] == 0), minimum, 2)


def printable(data: Bytes) -> Mask:
    """Which bytes are characters."""
    mask: Mask = (data - np.uint8(32)) < 95
    mask |= data == 9
    return mask


def _runs(data: bytes | memoryview, mask: Mask, minimum: int, width: int) -> Runs | None:
    """Runs of characters that are `width` bytes apart where `mask` says that one begins."""
    rows = _in_a_row(mask, minimum, width)
    if rows is None or not rows.any():
        return None
    edges = np.flatnonzero(_edges(rows, width))
    starts = edges[::2]
    ends = edges[1::2] + (minimum - 2) * width + 1  # the byte behind the last character
    lengths = (ends - starts - 1) // width + 1
    source, places = np.frombuffer(data, np.uint8), starts
    if width == 2:  # characters of even places beside each other, then those of odd ones
        half = -(-len(data) // 2)
        source = np.concatenate((source[::2], source[1::2]))
        places = starts // 2 + (starts & 1) * half
    return Runs(starts, lengths, source, places, lambda: _text(data, rows, ends, minimum, width))


def _in_a_row(mask: Mask, minimum: int, width: int) -> Mask | None:
    """Where at least `minimum` characters in a row begin; None if there is no room for them."""
    have = 1
    while have < minimum:
        more = min(have, minimum - have)
        if len(mask) <= more * width:
            return None
        mask = mask[: -more * width] & mask[more * width :]
        have += more
    return mask


def _edges(rows: Mask, width: int) -> Mask:
    """True where a run begins, and one character behind the last one that `minimum` more follow.

    Runs at even and odd places do not interleave: the bytes between characters are zero.
    """
    padded = np.zeros(len(rows) + 2 * width, np.bool_)
    padded[width:-width] = rows
    edges: Mask = padded[width:] != padded[:-width]
    return edges


def _text(data: bytes | memoryview, rows: Mask, ends: Places, minimum: int, width: int) -> memoryview:
    """The characters of all runs, a newline behind each: the byte behind a run becomes one."""
    kept: Any = np.zeros(len(data) + 1, np.bool_)
    kept[: len(rows)] = rows
    have = 1
    while have < minimum:
        more = min(have, minimum - have)
        kept[more * width :] |= kept[: -more * width].copy()
        have += more
    kept[ends] = True
    source = np.empty(len(data) + 1, np.uint8)
    source[:-1] = np.frombuffer(data, np.uint8)
    source[ends] = NEWLINE
    found: memoryview = source[kept].data
    return found
