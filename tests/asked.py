"""Everything that can be asked of an archive, in this process: for damaged archives and for fuzzing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from cryoscope.checkpoint.archive import Archive, BytesSource, open_archive
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.keep import StackEnds
from cryoscope.checkpoint.overview import read_overview
from cryoscope.errors import CryoscopeError, Damaged
from cryoscope.examine.changes import compared
from cryoscope.examine.diff import Wanted as Compared
from cryoscope.examine.diff import compare
from cryoscope.examine.diff.changed import Asked
from cryoscope.examine.findings import find_findings
from cryoscope.examine.findings.rules import SUBJECTS, described, detectors_of, load_rules, with_rules
from cryoscope.examine.iocs import find_iocs
from cryoscope.examine.memory.batches import batches
from cryoscope.examine.memory.reading import REASONS, Reader, joined
from cryoscope.examine.memory.regions import Wanted, regions
from cryoscope.examine.memory.strings import find
from cryoscope.examine.search import literal, regex, search
from cryoscope.examine.timeline import timeline_of
from cryoscope.report import fs, views
from cryoscope.report.findings import findings as draw_findings
from cryoscope.report.html import page
from cryoscope.report.inspection import inspection
from cryoscope.report.iocs import csv, sigma, stix, yara
from cryoscope.report.iocs.table import iocs as draw_iocs
from cryoscope.report.markdown import markdown
from cryoscope.report.memory import hexdump
from cryoscope.report.memory import memory as draw_memory
from cryoscope.report.strings import TableStyle, lines
from cryoscope.report.timeline import FORMATS
from cryoscope.report.timeline.table import table as draw_timeline
from cryoscope.text import UNSAFE
from cryoscope.workflows import images
from cryoscope.workflows.documents import builtins, damage, encode
from cryoscope.workflows.findings import FindingsPart
from cryoscope.workflows.fs import FsPart
from cryoscope.workflows.inspect import Inspection
from cryoscope.workflows.iocs import IocsPart
from cryoscope.workflows.masking import Masker
from cryoscope.workflows.members import list_members
from cryoscope.workflows.memory import memory
from cryoscope.workflows.overview import OverviewPart
from cryoscope.workflows.report import Report, redacted, searched_for
from cryoscope.workflows.report import Wanted as Reported
from cryoscope.workflows.strings import JsonStyle
from cryoscope.workflows.timeline import TimelinePart, event_of
from cryoscope.workflows.views import Views

Question = Callable[[Archive], Any]


TURNS = 7
"""Archives among which the questions are shared out where there are thousands of archives."""


def everything(data: bytes, turn: int | None = None) -> list[str]:
    """Ask it all of an archive's bytes; the codes of errors and damage.  Anything else is raised.

    With a `turn`, one question of `TURNS`, so that as many archives in a row are asked everything once.
    """
    codes: list[str] = []
    questions = QUESTIONS if turn is None else QUESTIONS[turn % TURNS :: TURNS]
    try:
        with open_archive(BytesSource(data, "a.tar"), keep=StackEnds()) as archive:
            for question in questions:
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


def _scan(archive: Archive) -> Any:
    damaged: list[Damaged] = []
    checkpoint = Checkpoint(archive)
    found = find_findings(checkpoint, damaged=damaged)
    assert not [note for note in found.notes if " failed: " in note], found.notes
    part = FindingsPart(archive="a.tar", findings=found.findings, detectors=found.detectors)
    encode(part)
    draw_findings(part, 80)
    return [*checkpoint.damaged, *damaged]


def _diff(archive: Archive) -> Any:
    """The archive beside itself: whatever it is, it is the same."""
    old, new = Checkpoint(archive), Checkpoint(archive)
    found = compare(old, new, Compared(dump=Asked()))
    assert not found.diff.different
    encode(found.diff)
    return [*found.old_damaged, *found.new_damaged]


def _timeline(archive: Archive) -> Any:
    damaged: list[Damaged] = []
    checkpoint = Checkpoint(archive)
    found = [event_of(event) for event in timeline_of(checkpoint, damaged=damaged)]
    part = TimelinePart(archive="a.tar", host=None, events=found)
    encode(part)
    draw_timeline(part, 80)
    for write in FORMATS.values():
        list(write([part], []))
    return [*checkpoint.damaged, *damaged]


def _fs(archive: Archive) -> Any:
    checkpoint = Checkpoint(archive)
    found = list(checkpoint.filesystem.hashes(checkpoint.filesystem.entries))
    part = FsPart(archive="a.tar", files=list(compared(checkpoint.filesystem, found, None, [])))
    encode(part)
    for draw in (fs.files, fs.tree, fs.sums):
        list(draw(part, 80))
    return checkpoint.damaged


def _iocs(archive: Archive) -> Any:
    damaged: list[Damaged] = []
    checkpoint = Checkpoint(archive)
    found = find_iocs(checkpoint, private=True, noise=True, damaged=damaged)
    part = IocsPart(archive="a.tar", seen=checkpoint.container.checkpointed or "", iocs=found.iocs)
    encode(part)
    encode(stix.bundle([part]))
    draw_iocs(part, 80)
    for text in (csv.iocs([part]), yara.rules([part]), sigma.rules([part])):
        text.encode("utf-8")
    return [*checkpoint.damaged, *damaged]


def _every_field() -> str:
    """A rule for each subject that asks for all of its fields."""
    head = (
        "- {{name: all-of-{0}, title: All, severity: info, why: Because, for: {0}, when: {{any: [{1}]}}}}\n"
    )
    tests = {
        name: ", ".join(
            f"{{'{path.replace('FIELD', 'pid').replace('KEY', 'x')}': {{exists: true, in: [{VALUE[kind]}]}}}}"
            for path, kind in described(subject)
        )
        for name, subject in SUBJECTS.items()
    }
    return "".join(head.format(name, asked) for name, asked in tests.items())


VALUE = {"text": "x", "number": "77777", "true or false": "true", "as of process": "77777"}
RULES = load_rules(_every_field())


def _rules(archive: Archive) -> Any:
    damaged: list[Damaged] = []
    checkpoint = Checkpoint(archive)
    found = with_rules(find_findings(checkpoint, detectors_of(RULES), damaged=damaged), RULES)
    assert not [note for note in found.notes if " failed: " in note], found.notes
    encode(found)
    return [*checkpoint.damaged, *damaged]


def _report(archive: Archive) -> Any:
    checkpoint, damaged = Checkpoint(archive), list[Damaged]()
    found = search(checkpoint, searched_for(()), damaged=damaged)
    part = Report("a.tar", checkpoint, Reported(), Masker(), damaged).part(found)
    part = msgspec.structs.replace(redacted(part), hits=found.hits[:50])
    encode(part)
    told = damage("a.tar", [*checkpoint.damaged, *damaged])
    assert not UNSAFE.search(page(part, told).replace("\n", ""))
    assert not UNSAFE.search("".join(markdown(part, told)))
    return [*checkpoint.damaged, *damaged]


QUESTIONS: tuple[Question, ...] = (
    _list,
    _show,
    _processes,
    _inspect,
    _memory,
    _decode,
    _search,
    _fs,
    _diff,
    _timeline,
    _scan,
    _iocs,
    _rules,
    _report,
)
