"""The container's own output, which engines write with a time before each line.

The CRI's format (kubelet, `TIME stdout F TEXT`, P for a part of a longer line; Podman's k8s-file is the same)
and Docker's json-file (`{"log": TEXT, "stream": ..., "time": TIME}`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from cryoscope import limits
from cryoscope.examine.timeline.asked import Asked
from cryoscope.examine.timeline.moments import parse
from cryoscope.examine.timeline.records import Event, Moment
from cryoscope.text import readable

SOURCE = "log"
CRI = re.compile(rb"(\d{4}-\d\d-\d\dT\S{8,40}) (stdout|stderr) ([A-Z](?::[A-Z]+)*) ?(.*)", re.DOTALL)


class Line(NamedTuple):
    """One piece of output: when, on which stream, its bytes, whether it is a part of a longer line."""

    moment: Moment | None
    stream: str
    data: bytes
    part: bool


class JsonLine(msgspec.Struct):
    """A line of json-file."""

    log: str
    time: str
    stream: str = "stdout"


def look(asked: Asked) -> list[Event]:
    """Each line of the log, at the time of its first piece."""
    name = asked.checkpoint.log_name
    return asked.last(_lines(asked, name), limits.TIMELINE_LINES, name) if name is not None else []


def _lines(asked: Asked, name: str) -> Iterator[Event]:
    size = asked.checkpoint.archive.members[name].size
    start = max(0, size - limits.TIMELINE_LOG)
    data = asked.checkpoint.archive.read_at(name, start, size - start)
    lines = data.rsplit(b"\n", limits.TIMELINE_TRIED)
    if start or len(lines) > limits.TIMELINE_TRIED:
        asked.notes.append(f"the first {start + len(lines[0]) + 1} bytes of {name} are left out")
        lines = lines[1:]
    begun: dict[str, Line] = {}
    odd = 0
    for line in lines:
        piece = read_line(line)
        if piece is None or piece.moment is None:
            odd += bool(line.strip())
            continue
        whole = begun.pop(piece.stream, piece)
        if whole is not piece:
            whole = whole._replace(data=longer(whole.data, piece.data), part=piece.part)
        if whole.part:
            begun[whole.stream] = whole
        else:
            yield from _event(asked, whole, name)
    for rest in begun.values():
        yield from _event(asked, rest, name)
    if odd:
        asked.notes.append(f"{odd} lines of {name} have no time")


def longer(data: bytes, more: bytes) -> bytes:
    """A line with one more piece; what is long enough is not copied again for each."""
    room = limits.TIMELINE_LINE - len(data)
    return data + more[:room] if room > 0 else data


def _event(asked: Asked, line: Line, name: str) -> list[Event]:
    kind = "error output" if line.stream == "stderr" else "output"
    return asked.event(line.moment, SOURCE, kind, readable(line.data.rstrip(b"\r\n")), member=name)


def read_line(line: bytes) -> Line | None:
    """A line of either format; None for anything else."""
    line = line[: limits.TIMELINE_LINE]
    if line.startswith(b"{"):
        return _json(line)
    found = CRI.match(line)
    if found is None:
        return None
    time, stream, tags, data = found.groups()
    return Line(parse(time.decode("latin-1")), stream.decode(), data, tags[:1] == b"P")


def _json(line: bytes) -> Line | None:
    try:
        found = msgspec.json.decode(line, type=JsonLine)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    stream = "stderr" if found.stream == "stderr" else "stdout"
    data = found.log.encode("utf-8", "surrogatepass")
    return Line(parse(found.time), stream, data, not found.log.endswith("\n"))
