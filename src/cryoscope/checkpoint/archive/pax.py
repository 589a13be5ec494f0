"""PAX extended headers: `LENGTH KEY=VALUE\\n` records that override the fields of a tar header.

POSIX.1-2001 pax(1), "pax Extended Header"; `SCHILY.xattr.*` as star, GNU tar and Go write it;
`GNU.sparse.*`: the GNU tar manual, "Storing Sparse Files".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryoscope import limits
from cryoscope.checkpoint.archive.header import LARGEST
from cryoscope.checkpoint.archive.member import normalise
from cryoscope.checkpoint.archive.report import Report

XATTR = "SCHILY.xattr."
SPARSE_MAP = "GNU.sparse.map"
SPARSE_NAME = "GNU.sparse.name"
REPEATED = ("GNU.sparse.offset", "GNU.sparse.numbytes")
"""Keys that format 0.0 repeats, once a run: they are gathered as the map of format 0.1."""

Records = dict[str, bytes]


def parse(data: bytes) -> tuple[Records, bool]:
    """The records of one header, and whether all of it made sense; what came before an error is kept."""
    records: Records = {}
    runs: list[bytes] = []
    position = 0
    while position < len(data) and data[position]:
        key, value, position = _record(data, position)
        if not position:
            return records, False
        if key in REPEATED:
            runs.append(value)
        else:
            records[key] = value
    if runs:
        records.setdefault(SPARSE_MAP, b",".join(runs))
    return records, True


def _record(data: bytes, position: int) -> tuple[str, bytes, int]:
    """Key, value and where the next record begins; 0 if this is none."""
    space = data.find(b" ", position, position + 20)
    length = data[position:space] if space > 0 else b""
    end = position + int(length) if length.isdigit() else 0
    key, equals, value = data[space + 1 : max(end - 1, 0)].partition(b"=")
    if not equals or end > len(data) or data[end - 1] != 0x0A:
        return "", b"", 0
    return key.decode("utf-8", "surrogateescape"), value, end


def _text(value: bytes) -> str:
    if b"\0" in value:
        raise ValueError("a NUL in text")
    return value.decode("utf-8", "surrogateescape")


def _count(value: bytes) -> int:
    if not value.isdigit() or len(value) > 19 or int(value) > LARGEST:
        raise ValueError("no number")
    return int(value)


def _nanoseconds(value: bytes) -> int:
    """Seconds as decimal text, exactly; digits past the ninth are dropped (towards the past)."""
    negative = value.startswith(b"-")
    whole, _, part = value.lstrip(b"-").partition(b".")
    if not (whole + part).isdigit() or len(value) > 64:
        raise ValueError("no time")
    time = int(whole or b"0") * 1_000_000_000 + int(part[:9].ljust(9, b"0"))
    if negative:
        time = -time - (1 if part[9:].strip(b"0") else 0)
    if not -LARGEST <= time <= LARGEST:
        raise ValueError("beyond 63 bits")
    return time


TEXTS = ("name", "linkname", "uname", "gname")
FIELDS: dict[str, tuple[str, Callable[[bytes], Any]]] = {
    "path": ("name", lambda value: normalise(_text(value))),
    SPARSE_NAME: ("name", lambda value: normalise(_text(value))),
    "linkpath": ("linkname", _text),
    "size": ("size", _count),
    "mtime": ("mtime_ns", _nanoseconds),
    "atime": ("atime_ns", _nanoseconds),
    "ctime": ("ctime_ns", _nanoseconds),
    "uid": ("uid", _count),
    "gid": ("gid", _count),
    "uname": ("uname", _text),
    "gname": ("gname", _text),
    "SCHILY.devmajor": ("devmajor", _count),
    "SCHILY.devminor": ("devminor", _count),
}


def relevant(records: Records) -> Records:
    """Those records of a global header that override a field of a member."""
    return {key: value for key, value in records.items() if key in FIELDS and len(value) <= limits.NAME}


def fields(records: Records, report: Report, name: str) -> dict[str, Any]:
    """The fields of a Member that the records override; a value that makes no sense is reported."""
    found: dict[str, Any] = {}
    xattrs: dict[str, bytes] = {}
    for key, value in records.items():
        if key in FIELDS:
            field, convert = FIELDS[key]
            try:
                if value:  # an empty value means: as in the header
                    found[field] = convert(value)
            except ValueError:
                report.add(name, f"its extended header {key} makes no sense", "archive.pax")
        elif key.startswith(XATTR):
            xattrs[key[len(XATTR) :]] = value
    if SPARSE_NAME in records and "path" in records:
        found.update(fields({SPARSE_NAME: records[SPARSE_NAME]}, report, name))
    for field in TEXTS:
        if len(found.get(field, "")) > limits.NAME:
            report.add(name, f"its {field} has {len(found[field])} characters", "limit.name")
            found[field] = found[field][: limits.NAME]
    if xattrs:
        found["xattrs"] = xattrs
    return found
