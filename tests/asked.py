"""Everything that can be asked of an archive, in this process: for damaged archives and for fuzzing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from cryoscope.checkpoint.archive import Archive, BytesSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.keep import StackEnds
from cryoscope.checkpoint.overview import read_overview
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.memory.batches import batches
from cryoscope.examine.memory.reading import REASONS, Reader, joined
from cryoscope.examine.memory.regions import Wanted, regions
from cryoscope.examine.memory.strings import find
from cryoscope.examine.search import literal, regex, search
from cryoscope.report import views
from cryoscope.report.inspection import inspection
from cryoscope.report.memory import hexdump
from cryoscope.report.memory import memory as draw_memory
from cryoscope.report.strings import TableStyle, lines
from cryoscope.workflows import images
from cryoscope.workflows.documents import builtins, damage, encode
from cryoscope.workflows.inspect import Inspection
from cryoscope.workflows.masking import Masker
from cryoscope.workflows.members import list_members
from cryoscope.workflows.memory import memory
from cryoscope.workflows.overview import OverviewPart
from cryoscope.workflows.strings import JsonStyle
from cryoscope.workflows.views import Views

Question = Callable[[Archive], Any]


def everything(data: bytes) -> list[str]:
    """Ask it all of an archive's bytes; the codes of errors and damage.  Anything else is raised."""
    codes: list[str] = []
    try:
        with open_archive(BytesSource(data, "a.tar"), keep=StackEnds()) as archive:
            for question in QUESTIONS:
                _ask(question, archive, codes)
            codes += [found.code for found in archive.damaged]
            encode(damage("a.tar", archive.damaged))
    except CryoscopeError as error:
        codes.append(error.code)
    return codes


def _ask(question: Question, archive: Archive, codes: list[str]) -> None:
    try:
        codes += [found.code for found in question(archive)]
    except CryoscopeError as error:
        codes.append(error.code)


def _show(archive: Archive) -> Any:
    found, damaged = read_overview(archive)
    part = OverviewPart(archive="a.tar", overview=found)
    encode(part)
    views.overviews([part], 80)
    return damaged


def _processes(archive: Archive) -> Any:
    checkpoint = Checkpoint(archive)
    part = Views().processes("a.tar", checkpoint, Masker())
    views.processes(part, 80)
    list(views.process_tree(part, None))
    return checkpoint.damaged


def _inspect(archive: Archive) -> Any:
    checkpoint = Checkpoint(archive)
    part = Inspection.of([], [], everything=True)("a.tar", checkpoint, Masker())
    encode(part)
    list(inspection(part, 80))
    for draw, view in _tables(checkpoint):
        draw(view, 80)
    encode(damage("a.tar", checkpoint.damaged))
    return checkpoint.damaged


def _tables(checkpoint: Checkpoint) -> Iterator[tuple[Any, Any]]:
    asked, masker = Views(queued=True), Masker()
    yield views.files, asked.files("a.tar", checkpoint, masker)
    yield views.sockets, asked.sockets("a.tar", checkpoint, masker)
    yield views.maps, asked.maps("a.tar", checkpoint, masker)
    yield views.mounts, asked.mounts("a.tar", checkpoint, masker)
    yield views.environment, asked.environment("a.tar", checkpoint, masker)


def _memory(archive: Archive) -> Any:
    checkpoint, reader = Checkpoint(archive), Reader()
    part = memory((), vmas=True)("a.tar", checkpoint, Masker())
    encode(part)
    draw_memory(part, 80)
    found = regions(checkpoint, Wanted())
    for batch in batches(found, reader):
        for style in (JsonStyle("a.tar"), TableStyle(found)):
            lines(find(batch, ("ascii", "utf-16"), 6), style)
    for region in found[:40]:
        pieces = joined(reader.pieces(region.space, region.start, min(region.end, region.start + 9000)))
        list(hexdump(pieces, REASONS))
    return [*checkpoint.damaged, *reader.damaged]


def _decode(archive: Archive) -> Any:
    return [damaged for found in images.decode_all(archive) for damaged in found.damaged]


def _list(archive: Archive) -> Any:
    part = list_members("a.tar", archive)
    for row in part.rows():
        encode(builtins(row), indent=0)
    views.members(part, 60)
    return ()


def _search(archive: Archive) -> Any:
    damaged: list[Damaged] = []
    patterns = [*literal("root"), *regex(r"(?i)secret\S{0,40}")]
    found = search(Checkpoint(archive), patterns, damaged=damaged)
    encode(found)
    return damaged


QUESTIONS: tuple[Question, ...] = (_list, _show, _processes, _inspect, _memory, _decode, _search)
