"""History files among what the container wrote, in its volumes, and deleted while open.

Formats: a command a line; bash with HISTTIMEFORMAT writes `#seconds` before each; zsh with
EXTENDED_HISTORY `: seconds:duration;command`; fish YAML-like `- cmd:` and `when:`; libedit (psql, mysql)
a first line `_HiStOrY_V2_` and octal for spaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from cryoscope import limits
from cryoscope.checkpoint.archive import open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.rootfs.ghosts import contents
from cryoscope.checkpoint.rootfs.tars import plain_files, tars
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.text import readable

NAME = re.compile(r"(?:^|/)\.?[A-Za-z0-9_-]*hist(?:ory|file)$|(?:^|/)\.(?:lesshst|node_repl_history)$")
STAMP = re.compile(rb"#(\d{9,11})$")
ZSH = re.compile(rb": (\d{9,11}):\d+;(.*)", re.DOTALL)
FISH = re.compile(rb"- cmd: (.*)")
WHEN = re.compile(rb"\s+when: (\d{9,11})$")
LIBEDIT = b"_HiStOrY_V2_"
OCTAL = re.compile(rb"\\([0-7]{3})")


class Line(NamedTuple):
    """A command of a file: the number of its line from 1 on, its text, and its time in seconds."""

    number: int
    text: bytes
    time: int | None


class HistoryFile(NamedTuple):
    """A file, the archive member that holds it, and its bytes."""

    path: str
    member: str
    data: bytes


def history_files(checkpoint: Checkpoint, damaged: list[Damaged]) -> Iterator[HistoryFile]:
    """Every file whose name is that of a history, as far as it can be read."""
    for held in tars(checkpoint.archive, checkpoint.prefix, damaged):
        try:
            yield from _in_tar(checkpoint, held.member)
        except CryoscopeError as error:
            damaged.append(Damaged(held.member, error.message, error.code))
    for ghost in checkpoint.ghosts:
        if NAME.search(ghost.path):
            try:
                name = ghost.member.rpartition("/")[2]
                yield HistoryFile(
                    ghost.path, ghost.member, contents(checkpoint.images, name)[: limits.HISTORY_FILE]
                )
            except CryoscopeError as error:
                damaged.append(Damaged(ghost.member, error.message, error.code))


def _in_tar(checkpoint: Checkpoint, member: str) -> Iterator[HistoryFile]:
    with open_archive(checkpoint.archive.source(member)) as layer:
        for file in plain_files(layer):
            if NAME.search(readable(file.name)):
                data = layer.read_at(file.name, 0, min(file.size, limits.HISTORY_FILE))
                yield HistoryFile("/" + readable(file.name).lstrip("/"), member, data)


def lines_of(data: bytes) -> Iterator[Line]:
    """The commands of a file, whichever of the formats it has."""
    time: int | None = None
    octal = data.startswith(LIBEDIT)
    for number, line in enumerate(data.split(b"\n")[: limits.HISTORY_ENTRIES], 1):
        if not line.strip() or line == LIBEDIT or WHEN.match(line):
            continue
        if stamp := STAMP.match(line):
            time = int(stamp[1])
            continue
        if zsh := ZSH.match(line):
            yield Line(number, zsh[2], int(zsh[1]))
        elif fish := FISH.match(line):
            yield Line(number, fish[1], _when(data, line))
        else:
            yield Line(number, _plain(line) if octal else line, time)
        time = None


def _plain(line: bytes) -> bytes:
    return OCTAL.sub(lambda found: bytes([int(found[1], 8) & 0xFF]), line)


def _when(data: bytes, line: bytes) -> int | None:
    """The time that stands in the line behind fish's command."""
    found = WHEN.match(data[data.find(line) + len(line) :].partition(b"\n")[2].partition(b"\n")[0])
    return int(found[1]) if found else None
