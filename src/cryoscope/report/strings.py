"""Lines of strings, thousands at a time: what stands before each is put there by numpy.

A line is a row of fixed width, one a mapping, with a hole for the address; then the string, and an
end.  Each of these is moved for all lines of a batch at once, by views of the buffer with an item at
every byte: a Python object a string would cost more than finding it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from cryoscope.report.table import pad, shorten
from cryoscope.text import escape

Rows = NDArray[np.uint8]
Places = NDArray[np.int64]
Items = NDArray[np.void]
Buffer = bytes | memoryview

DIGITS = 16
HOLE = 18
"""Columns for an address: `0x` and at most sixteen digits."""

WHERE = 20
"""Columns for what a mapping is: names of libraries fit."""

CHUNK, CHUNKS = 32, 16
"""Bytes of a string moved at once, fewer than stand before the next one; and how often, before that is
slower than one by one."""

_PAIRS = np.frombuffer(b"".join(b"%02x" % number for number in range(256)), "<u2").astype("<u4")
QUADS = (_PAIRS[:, None] | _PAIRS[None, :] << 16).ravel()
"""Four digits of each number of 16 bits."""

POWERS = np.array([1 << 4 * digits for digits in range(1, DIGITS)], np.uint64)


class Style(Protocol):
    """How lines look: what is before and behind the address, which `mark` begins, and behind the string."""

    mark: bytes
    end: bytes

    def before(self, region: Any) -> bytes: ...
    def behind(self, region: Any, encoding: str) -> bytes: ...
    @property
    def escape(self) -> Callable[[bytes], bytes] | None: ...


class Lines(NamedTuple):
    """Lines of one encoding: where their strings begin in the batch, and their lengths in `data`."""

    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    data: Buffer


class TableStyle:
    """`PID  ADDRESS  WHERE  TEXT`; `regions` are all that there will be lines of."""

    mark, end = b"0x", b"\n"
    escape = None

    def __init__(self, regions: Sequence[Any]) -> None:
        self.width = max([3, *(len(_pids(region)) for region in regions)])
        self.heading = f"{'PID':>{self.width}}  {'ADDRESS':>{HOLE}}  {'WHERE':<{WHERE}}  TEXT\n".encode()

    def before(self, region: Any) -> bytes:
        return f"{_pids(region):>{self.width}}  ".encode()

    def behind(self, region: Any, _encoding: str) -> bytes:
        return f"  {pad(shorten(where(region.vma), WHERE), WHERE, right=False)}  ".encode()


def title(archive: str, *, first: bool) -> bytes:
    """What stands above the lines of one archive of several."""
    return ("" if first else "\n").encode() + escape(f"==> {archive} <==").encode() + b"\n"


def unique(found: Iterable[Any]) -> Iterator[bytes]:
    """Strings with their counts and first places, under a heading."""
    yield f"{'COUNT':>8}  {'PID':>6}  {'FIRST ADDRESS':>{HOLE}}  {'WHERE':<{WHERE}}  TEXT\n".encode()
    for one in found:
        place = pad(shorten(where(one.region.vma), WHERE), WHERE, right=False)
        head = f"{one.times:>8}  {one.region.pid:>6}  {one.address:>#{HOLE}x}  {place}  "
        yield head.encode() + one.text + b"\n"


def where(vma: Any) -> str:
    """What a mapping is, in short: the last part of its path, or `[heap]`."""
    name = (vma.path or "").rstrip("/").rpartition("/")[2]
    return escape(name) if name and vma.kind != "shared-anon" else f"[{vma.kind}]"


def _pids(region: Any) -> str:
    return ",".join(map(str, region.pids))


def lines(found: Sequence[Any], style: Style) -> Buffer:
    """The lines of a batch, those of all encodings in the order of their addresses."""
    drawn = [_lines(one, style) for one in found]
    while len(drawn) > 1:
        drawn = [_merged(drawn[0], drawn[1]), *drawn[2:]]
    return drawn[0].data if drawn else b""


def _lines(found: Any, style: Style) -> Lines:
    """Where each line goes is added up; then strings, rows, addresses and ends are put there in turn."""
    rows, hole = _rows(found, style)
    width = rows.shape[1]
    source, places, lengths = _strings(found.runs, style)
    whole = lengths + (width + len(style.end))
    ends = np.cumsum(whole)
    total, starts = int(ends[-1]), ends - whole
    out = np.empty(total + CHUNK, np.uint8)
    copy(source, places, lengths, out, starts + width)
    put(out, ends - len(style.end), np.frombuffer(style.end, f"V{len(style.end)}"))
    put(out, starts, rows.view(f"V{width}").ravel()[found.segment])
    _put_addresses(out, starts + (hole + len(style.mark) + DIGITS), found.address, style.mark)
    return Lines(found.runs.starts, whole, out[:total].data)


def _strings(runs: Any, style: Style) -> tuple[Rows, Places, Places]:
    """The strings as slices of one array: of the batch, or of their text with escapes."""
    if style.escape is None:
        return runs.source, runs.places, runs.lengths
    text = np.frombuffer(style.escape(bytes(runs.text())), np.uint8)
    ends = np.flatnonzero(text == 10)
    places = np.concatenate(([0], ends[:-1] + 1))
    return text, places, ends - places


def _rows(found: Any, style: Style) -> tuple[Rows, int]:
    """What stands before the strings of each segment, with a hole for the address, and where that is."""
    regions = [segment.region for segment in found.batch.segments]
    before = _same_width([style.before(region) for region in regions])
    behind = _same_width([style.behind(region, found.encoding) for region in regions])
    hole = np.full((len(regions), DIGITS + len(style.mark)), 32, np.uint8)
    return np.hstack((before, hole, behind)), before.shape[1]


def _same_width(cells: Sequence[bytes]) -> Rows:
    width = max(map(len, cells))
    return np.frombuffer(b"".join(cell.ljust(width) for cell in cells), np.uint8).reshape(-1, width)


def _put_addresses(out: Rows, ends: Places, addresses: NDArray[np.uint64], mark: bytes) -> None:
    """Addresses in hexadecimal behind `mark`, up to `ends`; those with equally many digits together."""
    digits = QUADS[addresses.astype(">u8").view(">u2")].data
    count = np.searchsorted(POWERS, addresses, "right") + 1
    fewest, most = int(count.min()), int(count.max())
    for width in range(fewest, most + 1):
        items = np.ndarray(len(addresses), f"V{width}", digits, DIGITS - width, (DIGITS,))
        chosen: Any = slice(None) if fewest == most else np.flatnonzero(count == width)
        put(out, ends[chosen] - width, items[chosen])
        put(out, ends[chosen] - (width + len(mark)), np.frombuffer(mark, f"V{len(mark)}"))


def put(out: Rows, places: Places, items: Items) -> None:
    """Items of several bytes, each to its byte of `out`; one item goes everywhere."""
    size = items.dtype.itemsize
    np.ndarray(len(out) - size + 1, items.dtype, out.data, 0, (1,))[places] = items


def copy(source: Rows, places: Places, lengths: Places, out: Rows, to: Places) -> None:
    """Slices of `source` to places in `out`, each with up to `CHUNK` bytes of what is behind it.

    All are moved a chunk at a time, and the few that are long or at the very end one by one.
    """
    chunks = (lengths + CHUNK - 1) // CHUNK
    alone = (chunks > CHUNKS) | (places + chunks * CHUNK > len(source))
    for index in np.flatnonzero(alone).tolist():
        place, length, at = int(places[index]), int(lengths[index]), int(to[index])
        out[at : at + length] = source[place : place + length]
    if len(source) < CHUNK:
        return
    view = np.ndarray(len(source) - CHUNK + 1, f"V{CHUNK}", source.data, 0, (1,))
    places, to, chunks = places[~alone], to[~alone], chunks[~alone]
    while len(chunks):
        put(out, to, view[places])
        more = np.flatnonzero(chunks > 1)
        places, to, chunks = places[more] + CHUNK, to[more] + CHUNK, chunks[more] - 1


def _merged(one: Lines, other: Lines) -> Lines:
    """Lines of both in order; the fewer are put between the more."""
    if len(one.starts) < len(other.starts):
        one, other = other, one
    starts = np.concatenate((one.starts, other.starts))
    order = np.argsort(starts, kind="stable")
    lengths = np.concatenate((one.lengths, other.lengths))[order]
    return Lines(starts[order], lengths, _spliced(one, other))


def _spliced(one: Lines, other: Lines) -> bytes:
    ends = np.concatenate(([0], np.cumsum(one.lengths)))
    cuts = ends[np.searchsorted(one.starts, other.starts, "right")].tolist()
    parts: list[Buffer] = []
    done = at = 0
    for cut, length in zip(cuts, other.lengths.tolist(), strict=True):
        parts += [one.data[done:cut], other.data[at : at + length]]
        done, at = cut, at + length
    return b"".join([*parts, one.data[done:]])
