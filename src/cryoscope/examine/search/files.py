"""Files in tars in the archive: what the container wrote, its tmpfs mounts, its volumes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from cryoscope.checkpoint.archive import Archive, open_archive
from cryoscope.checkpoint.rootfs.tars import Held, plain_files
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.search.engine import Engine
from cryoscope.examine.search.runs import FileRun
from cryoscope.examine.search.sweep import Raw
from cryoscope.examine.search.tapped import Placed, StreamScan


class InFile(NamedTuple):
    """A candidate in a file: its run, and what to add to offsets in the sequence of `raw`."""

    held: Held
    path: str
    run: FileRun
    shift: int
    raw: Raw


def in_packed(archive: Archive, held: Held, engine: Engine, damaged: list[Damaged]) -> Iterator[InFile]:
    """Candidates in a compressed tar, which is decompressed once."""
    tap = StreamScan((), engine=engine)
    try:
        with open_archive(archive.source(held.member), tap=tap) as layer:
            _tell(held, layer, damaged)
            yield from _in_layer(held, layer, tap.found(layer) or [])
    except CryoscopeError as error:
        damaged.append(Damaged(held.member, error.message, error.code))


def in_plain(archive: Archive, held: Held, found: list[Placed], damaged: list[Damaged]) -> Iterator[InFile]:
    """The candidates in a tar that the archive has as it is, by file."""
    if not found:
        return
    try:
        with open_archive(archive.source(held.member)) as layer:
            _tell(held, layer, damaged)
            yield from _in_layer(held, layer, found)
    except CryoscopeError as error:
        damaged.append(Damaged(held.member, error.message, error.code))


def _tell(held: Held, layer: Archive, damaged: list[Damaged]) -> None:
    damaged += [Damaged(f"{held.member}: {d.part}", d.problem, d.code, d.offset) for d in layer.damaged]


def _in_layer(held: Held, layer: Archive, found: list[Placed]) -> Iterator[InFile]:
    """Candidates by file; `found` is by member of the layer, or all in the tar itself."""
    files = sorted(plain_files(layer), key=lambda file: file.offset)
    starts = [file.offset for file in files]
    for member, shift, raw in found:
        inside = member == held.member
        low, high = (raw.low - shift, raw.high - shift) if inside else (raw.low, raw.high)
        away = shift if inside else 0
        for place in range(max(0, bisect_right(starts, low) - 1), bisect_right(starts, high - 1)):
            file = files[place]
            if low < file.offset + file.size and high > file.offset:
                run = FileRun(held.member, file.offset, file.size)
                yield InFile(held, "/" + file.name.lstrip("/"), run, away + file.offset, raw)
