"""Sparse files in a tar: which parts of them are stored, and where.

The GNU tar manual, "Storing Sparse Files": the old GNU format (type S, four runs in the header,
21 in each block that follows) and the PAX formats 0.0, 0.1 (the map in the extended header) and
1.0 (the map as decimal lines in front of the data).
"""

from __future__ import annotations

from cryoscope import limits
from cryoscope.checkpoint.archive.header import BLOCK, LARGEST, number, padded
from cryoscope.checkpoint.archive.pax import SPARSE_MAP, Records
from cryoscope.checkpoint.archive.tape import Tape

RUN = 24
"""Bytes of one run in the old format: two numbers of 12."""

CHUNK = 1 << 16
"""Bytes of a map in front of the data that are read at a time."""

Pairs = list[tuple[int, int]]
Runs = tuple[tuple[int, int, int], ...]


class SparseMapError(ValueError):
    """A map that cannot be read, or has more runs than allowed."""


def is_pax_sparse(records: Records) -> bool:
    """Whether the extended header makes its member a sparse file."""
    return SPARSE_MAP in records or "GNU.sparse.major" in records or "GNU.sparse.size" in records


def real_size(records: Records) -> int:
    """The size with holes that the extended header claims; SparseMapError if it claims none."""
    value = records.get("GNU.sparse.realsize") or records.get("GNU.sparse.size") or b""
    return _integers([value])[0]


def pax_pairs(records: Records, tape: Tape, offset: int, size: int) -> tuple[Pairs, int]:
    """The runs as (offset, length), and the bytes that their map takes in front of the data."""
    if records.get("GNU.sparse.major", b"0") == b"0":
        return _pairs(_split(records.get(SPARSE_MAP, b""), b",")), 0
    return _map_in_front(tape, offset, size)


def old_pairs(block: bytes, tape: Tape, offset: int) -> tuple[Pairs, int, int]:
    """Runs, size with holes and bytes of further headers of an old GNU sparse file.

    `block` is its header and `offset` the place behind it.
    """
    try:
        pairs, size, used = _entries(block[386:482]), number(block[483:495]), 0
        more = block[482]
        while more:
            extension = tape.read(offset + used, BLOCK)
            used += BLOCK
            if len(extension) < BLOCK or len(pairs) > limits.SPARSE_RUNS:
                raise SparseMapError
            pairs += _entries(extension[: 21 * RUN])
            more = extension[504]
    except ValueError as error:
        raise SparseMapError from error
    return pairs, size, used


def place(pairs: Pairs, offset: int, stored: int, size: int) -> tuple[Runs, bool]:
    """Runs of a file of `size` bytes whose `stored` bytes begin at `offset`, and whether all fit.

    Runs that overlap, go backwards, or lie outside the file or its bytes end the list.
    """
    runs: list[tuple[int, int, int]] = []
    end = used = 0
    for start, length in pairs:
        if length and (start < end or start + length > size or used + length > stored):
            return tuple(runs) or ((0, offset, 0),), False
        if length:
            runs.append((start, offset + used, length))
            end, used = start + length, used + length
    if runs == [(0, offset, size)]:
        return (), True
    return tuple(runs) or ((0, offset, 0),), True


def _entries(area: bytes) -> Pairs:
    """Runs of a header area, up to the first empty entry; ValueError if one is no number."""
    pairs = []
    for at in range(0, len(area), RUN):
        if not area[at] and not area[at + 12]:
            break
        start, length = number(area[at : at + 12]), number(area[at + 12 : at + RUN])
        if start < 0 or length < 0:
            raise SparseMapError
        pairs.append((start, length))
    return pairs


def _split(value: bytes, separator: bytes) -> list[int]:
    return _integers(value.split(separator)) if value else []


def _integers(values: list[bytes]) -> list[int]:
    if len(values) > 2 * limits.SPARSE_RUNS:
        raise SparseMapError
    numbers = [int(value) if value.isdigit() and len(value) < 20 else LARGEST + 1 for value in values]
    if max(numbers) > LARGEST:
        raise SparseMapError
    return numbers


def _pairs(numbers: list[int]) -> Pairs:
    if len(numbers) % 2:
        raise SparseMapError
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _map_in_front(tape: Tape, offset: int, size: int) -> tuple[Pairs, int]:
    """The map of format 1.0: the number of runs, then offset and length of each, one a line."""
    data = bytearray(tape.read(offset, min(CHUNK, size)))
    count = _integers([bytes(data[:32].partition(b"\n")[0])])[0]
    if count > limits.SPARSE_RUNS:
        raise SparseMapError
    wanted, seen = 1 + 2 * count, data.count(b"\n")
    while seen < wanted:
        chunk = tape.read(offset + len(data), min(CHUNK, size - len(data)))
        if not chunk or len(data) > 40 * limits.SPARSE_RUNS:
            raise SparseMapError
        data += chunk
        seen += chunk.count(b"\n")
    lines = bytes(data).split(b"\n", wanted)
    pairs = _pairs(_integers(lines[1:wanted])) if count else []
    return pairs, padded(len(data) - len(lines[wanted]))
