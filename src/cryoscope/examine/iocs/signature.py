"""A few rows of bytes that tell a file, wherever it is: on a disk, in an image, in memory."""

from __future__ import annotations

ROW, ROWS = 24, 6
"""Bytes of one row, and how many are taken, evenly over the file."""

DISTINCT = 15
"""Different bytes a row must have: code has more, tables and padding have fewer."""

SEARCHED = 4096
"""Bytes looked through for such a row before its part of the file goes without."""

LEAST = 3
"""Rows (or lines) below which there is no signature: one alone stands in too many files."""

HEADER = 1024
LINE_LEAST, LINE_MOST = 16, 120


def signature(data: bytes) -> list[bytes]:
    """Rows of a program or lines of a script; empty where nothing in it is distinctive."""
    found = _lines(data) if _is_text(data[:HEADER]) else _rows(data)
    return found if len(found) >= LEAST else []


def _is_text(head: bytes) -> bool:
    return bool(head) and not any(byte < 9 or 13 < byte < 32 or byte == 127 for byte in head)


def _rows(data: bytes) -> list[bytes]:
    step = max(ROW, (len(data) - HEADER) // ROWS)
    starts = range(HEADER, len(data) - ROW, step)
    rows = [_row(data, at, min(at + step, at + SEARCHED)) for at in starts]
    return list(dict.fromkeys(row for row in rows if row))[:ROWS]


def _row(data: bytes, start: int, end: int) -> bytes:
    for at in range(start, end, ROW):
        row = data[at : at + ROW]
        if len(row) == ROW and len(set(row)) >= DISTINCT:
            return row
    return b""


def _lines(data: bytes) -> list[bytes]:
    """The longest lines, in their order."""
    lines = [line.strip()[:LINE_MOST] for line in data.splitlines()]
    long = sorted({line for line in lines if len(line) >= LINE_LEAST}, key=lambda line: (-len(line), line))
    chosen = set(long[:ROWS])
    return list(dict.fromkeys(line for line in lines if line in chosen))
