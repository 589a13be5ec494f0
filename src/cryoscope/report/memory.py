"""The tables of `memory` and `extract`, and the lines of `hexdump`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cryoscope.report.table import Table, fit
from cryoscope.report.units import plural, size
from cryoscope.text import escape

STATES = ("DUMPED", "PARENT", "ZERO", "FILE ONLY", "LAZY", "UNKNOWN")
SUMS = ("MAPPED", "ANON", "HEAP", "STACK", "FILE", "SHARED", "OTHER")


def memory(part: Any, width: int | None) -> list[str]:
    """`memory`: a row a process, or its mappings if they were asked for, sums below."""
    if any(process.vmas for process in part.processes):
        return _mappings(part, width) + _stored(part, width)
    spare = ("OTHER", "LAZY", "UNKNOWN", "PARENT", "SHARED", "STACK", "COMM", "FILE", "ZERO", "HEAP")
    table = Table("PID", "COMM", *SUMS, *STATES, right=("PID", *SUMS, *STATES), spare=spare)
    for process in part.processes:
        table.add(process.pid, process.comm, *_sums(process.sizes))
    if len(part.processes) > 1:
        table.add("all", "", *_sums(part.total))
    return table.lines(width) + _stored(part, width)


def _sums(s: Any) -> list[str]:
    groups = (s.mapped, s.anonymous, s.heap, s.stack, s.file, s.shared, s.other)
    return [_cell(count) for count in groups] + _states(s)


def _states(s: Any) -> list[str]:
    return [_cell(count) for count in (s.dumped, s.parent, s.zero, s.file_only, s.lazy, s.unknown)]


def _cell(count: int) -> str:
    return size(count) if count else ""


def _mappings(part: Any, width: int | None) -> list[str]:
    spare = ("COMM", "LAZY", "UNKNOWN", "PARENT", "END", "KIND", "ZERO")
    right = ("PID", "SIZE", *STATES)
    table = Table(
        "PID", "COMM", "START", "END", "PERMS", "KIND", "SIZE", *STATES, "PATH", right=right, spare=spare
    )
    for process in part.processes:
        for vma in process.vmas:
            place = (f"{vma.start:012x}", f"{vma.end:012x}", vma.perms, vma.kind, size(vma.size))
            table.add(process.pid, process.comm, *place, *_states(vma), vma.path)
        sizes = process.sizes
        table.add(process.pid, process.comm, "all", "", "", "", size(sizes.mapped), *_states(sizes), None)
    return table.lines(width)


def _stored(part: Any, width: int | None) -> list[str]:
    stored = part.stored
    parts = f"private {size(stored.private)}, shared {size(stored.shared)}"
    said = f"pages images: {size(stored.pages_images)}; {parts}"
    return fit(["", said], width)


def extracted(part: Any, width: int | None) -> list[str]:
    """`extract`: a row a file, and below them what is missing."""
    table = Table(
        "FILE", "PID", "START", "END", "SIZE", "KNOWN", "MISSING", "SHA256", "PATH",
        right=("PID", "SIZE", "KNOWN", "MISSING"), spare=("END", "START", "KNOWN", "SHA256"),
    )  # fmt: skip
    for file in part.files:
        lost = sum(gap.size for gap in file.missing)
        place = (f"{file.start:x}", f"{file.end:x}", size(file.size), size(file.known), _cell(lost))
        table.add(file.file, file.pid, *place, file.sha256, file.path)
    return table.lines(width) + fit(_notes(part), width)


def _notes(part: Any) -> Iterator[str]:
    for file in part.files:
        yield from (f"{file.file}: {note}" for note in file.notes)
        for gap in file.missing[:4]:
            yield f"{file.file}: {plural(gap.size, 'byte')} missing at {gap.offset:#x}: {gap.reason}"
        if len(file.missing) > 4:
            yield f"{file.file}: and {len(file.missing) - 4} ranges more; --format json names all"
    if part.skipped:
        yield f"{plural(len(part.skipped), 'mapping')} of which nothing but zeros is known: no file"


COLUMNS = 16
ASCII = {code: chr(code) if 32 <= code < 127 else "." for code in range(256)}


def hexdump(pieces: Iterable[Any], reason_of: Mapping[str, str]) -> Iterator[str]:
    """Lines as xxd draws them; runs of zero lines as `*`, and a line for what is missing."""
    folder = _Folder()
    for piece in pieces:
        if piece.data is not None:
            yield from folder.data(piece.start, bytes(piece.data))
        elif piece.state == "zero":
            yield from folder.zeros(piece.start, piece.length)
        else:
            yield from folder.flush()
            reason = escape(reason_of.get(piece.state, piece.state))
            yield f"{piece.start:08x}: -- {plural(piece.length, 'byte')} missing: {reason}"
    yield from folder.flush()


class _Folder:
    """Puts bytes together into lines, and holds back lines of zero until it is known how many there are."""

    def __init__(self) -> None:
        self._rest = b""
        self._at = 0
        self._zero_from = 0
        self._zeros = 0

    def data(self, start: int, data: bytes) -> Iterator[str]:
        """Bytes, which go on where the last ones ended (or behind a `flush`)."""
        at, data = self._taken(start, data)
        whole = len(data) - len(data) % COLUMNS
        digits = data[:whole].hex(" ", -2) + " "
        text = data.decode("latin-1").translate(ASCII)
        for low in range(0, whole, COLUMNS):
            if data[low : low + COLUMNS] == _ZERO:
                yield from self._zero(at + low, 1)
            else:
                yield from self._all_zeros()
                begin = low // 2 * 5
                yield f"{at + low:08x}: {digits[begin : begin + 39]}  {text[low : low + COLUMNS]}"
        self._rest, self._at = data[whole:], at + whole

    def zeros(self, start: int, length: int) -> Iterator[str]:
        """Bytes known to be zero, however many."""
        head = min(length, -len(self._rest) % COLUMNS) if self._rest else 0
        if head:
            yield from self.data(start, bytes(head))
        start, length = start + head, length - head
        if length >= COLUMNS:
            yield from self._zero(start, length // COLUMNS)
        if length % COLUMNS:
            self._rest, self._at = bytes(length % COLUMNS), start + length - length % COLUMNS

    def flush(self) -> Iterator[str]:
        """What is left: the last lines of zeros, and a line that is not full."""
        if self._rest:
            yield from self._all_zeros()
            digits = self._rest.hex(" ", -2)
            text = self._rest.decode("latin-1").translate(ASCII)
            yield f"{self._at:08x}: {digits:<39}  {text}"
            self._rest = b""
        elif self._zeros:
            last = self._zero_from + (self._zeros - 1) * COLUMNS
            self._zeros -= 1
            yield from self._all_zeros()
            yield _zero_line(last)

    def _taken(self, start: int, data: bytes) -> tuple[int, bytes]:
        if not self._rest:
            return start, data
        return self._at, self._rest + data

    def _zero(self, at: int, count: int) -> Iterator[str]:
        if not self._zeros:
            self._zero_from = at
        self._zeros += count
        return iter(())

    def _all_zeros(self) -> Iterator[str]:
        """The lines of zeros held back: up to two as they are, of more the first."""
        for index in range(min(self._zeros, 2 if self._zeros < 3 else 1)):
            yield _zero_line(self._zero_from + index * COLUMNS)
        if self._zeros > 2:
            yield "*"
        self._zeros = 0


_ZERO = bytes(COLUMNS)


def _zero_line(at: int) -> str:
    return f"{at:08x}: {' '.join(['0000'] * 8)}  {'.' * COLUMNS}"
