"""`report`: everything that is known of one checkpoint, out of one pass over it, for one page.

The patterns of the detectors and those that the user asks for are searched together, and the evidence
is hashed meanwhile.  Nothing here looks at a clock: when a report was made is said by whoever asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import msgspec

from cryoscope import __version__
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.container import Container
from cryoscope.checkpoint.keep import StackEnds
from cryoscope.checkpoint.overview import Overview
from cryoscope.checkpoint.process import Mount, Namespace, Process
from cryoscope.checkpoint.process.holders import HeldSocket
from cryoscope.checkpoint.process.network import NetworkDevice
from cryoscope.checkpoint.rootfs import FileEntry
from cryoscope.errors import Damaged
from cryoscope.examine.findings import DETECTORS, Detector, Finding, find_findings, patterns
from cryoscope.examine.findings.find import PREFIX
from cryoscope.examine.memory.sizes import ProcessMemory, Sizes, Stored, memory_of, stored_in, total
from cryoscope.examine.search import Hit, Pattern, SearchResult, StreamScan, search
from cryoscope.examine.secrets import BY_ID, find_secrets
from cryoscope.examine.secrets.scan import patterns as secret_patterns
from cryoscope.examine.shell_history.readline import TIME
from cryoscope.examine.timeline import timeline_of
from cryoscope.examine.timeline.sources.secrets import RULES
from cryoscope.report.units import plural, size
from cryoscope.text import readable
from cryoscope.workflows.digest import Digest, Hashing, begin
from cryoscope.workflows.documents import Part
from cryoscope.workflows.examine import Answer, Asking, answer, each
from cryoscope.workflows.findings import masked
from cryoscope.workflows.masking import MASK, Masker, Revealing
from cryoscope.workflows.rules import More
from cryoscope.workflows.timeline import TimelineEvent, events_of
from cryoscope.workflows.views import with_details

INCOMPLETE = 5
USERS, SECRET, STAMP = "text:", "secret:", "stamp:"
"""What the names of patterns begin with by whom they are searched for, beside those of the detectors."""

TOKENS = [BY_ID[rule] for rule in RULES]
"""Secrets that tell of times."""


class Made(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a report came to be; `at` only where the caller said what time it is.

    `masked` counts the values that were masked, `options` are those that change what is in the report.
    """

    version: str
    detectors: int
    at: str | None = None
    options: list[str] = []
    masked: int = 0
    revealed: bool = False
    redacted: bool = False


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """The memory of all processes: `total` counts what they share with each, `stored` once."""

    processes: list[ProcessMemory]
    total: Sizes
    stored: Stored


class ReportPart(Part, frozen=True, kw_only=True, omit_defaults=True):
    """One archive of `report`.

    `notes` says what was not done as asked, `unseen` what no part of the report has looked at;
    `complete` is false where the search was stopped before its end.
    """

    title: str
    case: str | None = None
    note: str | None = None
    made: Made
    evidence: Digest
    overview: Overview
    container: Container
    machine: str
    page_size: int
    findings: list[Finding]
    hits: list[Hit] = []
    processes: list[Process]
    sockets: list[HeldSocket]
    devices: list[NetworkDevice] = []
    mounts: list[Mount] = []
    namespaces: list[Namespace] = []
    memory: Memory
    files: list[FileEntry]
    timeline: list[TimelineEvent]
    notes: list[str] = []
    unseen: list[str] = []
    complete: bool = True


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to write over a report, what else to search for, and how much to keep to oneself."""

    title: str | None = None
    case: str | None = None
    note: str | None = None
    at: str | None = None
    texts: Sequence[Pattern] = ()
    more: More = More()
    redact: bool = False

    def options(self) -> list[str]:
        """What was asked for beyond the usual, as a reader may want to know it."""
        names = dict.fromkeys(pattern.name for pattern in self.texts)
        found = [f"searched for {name}" for name in names]
        rules = len(self.more.detectors) - len(DETECTORS) + len(self.more.about_findings)
        found += [f"{plural(rules, 'detector')} besides our own"] if rules else []
        return [*found, "redacted"] if self.redact else found


def report_of(target: str, wanted: Wanted, asking: Asking, hashing: Hashing | None = None) -> Answer:
    """The report on one target; one that was interrupted ends with exit code 5 and what was found.

    `hashing` is what `digest.begin` gave for the target, if it was called before.
    """
    hashing = hashing or begin(target)
    try:
        found = answer("report", *each([target], lambda name: _one(name, wanted, asking, hashing)))
    finally:
        hashing.stop()
    if any(not part.complete for part in found.document.archives):
        return msgspec.structs.replace(found, exit_code=INCOMPLETE)
    return found


def _one(target: str, wanted: Wanted, asking: Asking, hashing: Hashing) -> tuple[ReportPart, list[Damaged]]:
    searched = searched_for(wanted.texts, wanted.more.detectors)
    tap = StreamScan(searched)
    progress = asking.progress(target)
    damaged: list[Damaged] = []
    with hashing.open(
        cache=asking.cache, access=asking.access, keep=StackEnds(), progress=progress, tap=tap
    ) as archive:
        checkpoint = Checkpoint(archive)
        found = search(checkpoint, searched, tap=tap, damaged=damaged, progress=progress)
        asked = Report(target, checkpoint, wanted, asking.masker, damaged)
        part = asked.part(found)
        part = msgspec.structs.replace(part, evidence=hashing.result())
        return part, list(dict.fromkeys([*checkpoint.damaged, *damaged]))


class Report:
    """One checkpoint, asked for every part of a report; all that leaves it is masked."""

    def __init__(
        self, target: str, checkpoint: Checkpoint, wanted: Wanted, masker: Masker, damaged: list[Damaged]
    ) -> None:
        self.target = target
        self.checkpoint = checkpoint
        self.wanted = wanted
        self.masker = masker
        self.damaged = damaged

    def part(self, searched: SearchResult) -> ReportPart:
        """The report, of which only the digest of the evidence is missing."""
        checkpoint, wanted = self.checkpoint, self.wanted
        found = wanted.more.judged(
            find_findings(checkpoint, wanted.more.detectors, hits=searched.hits, damaged=self.damaged)
        )
        memory = memory_of(checkpoint, (), vmas=True)
        notes = [*searched.notes, *found.notes]
        timeline = self._timeline(searched.hits, notes)
        part = ReportPart(
            archive=readable(self.target),
            title=wanted.title or self._title(),
            case=wanted.case,
            note=wanted.note,
            made=Made(version=__version__, detectors=found.detectors, at=wanted.at, options=wanted.options()),
            evidence=Digest(),
            overview=checkpoint.overview,
            container=self.masker.container(checkpoint.container),
            machine=checkpoint.machine,
            page_size=checkpoint.page_size,
            findings=[masked(finding, self.masker) for finding in found.findings],
            hits=self._hits(searched),
            processes=self._processes(),
            sockets=checkpoint.sockets,
            devices=checkpoint.devices,
            mounts=[self.masker.mount(mount) for mount in checkpoint.mounts],
            namespaces=checkpoint.namespaces,
            memory=Memory(
                processes=memory, total=total(one.sizes for one in memory), stored=stored_in(checkpoint)
            ),
            files=checkpoint.filesystem.entries,
            timeline=timeline,
            notes=[self._note(note) for note in notes],
            unseen=unseen(memory),
            complete=searched.complete and found.complete,
        )
        return self._finished(part)

    def _finished(self, part: ReportPart) -> ReportPart:
        if self.wanted.redact:
            part = redacted(part)
        revealed = isinstance(self.masker, Revealing)
        made = msgspec.structs.replace(
            part.made, masked=self.masker.count, revealed=revealed, redacted=self.wanted.redact
        )
        return msgspec.structs.replace(part, made=made)

    def _title(self) -> str:
        container = self.checkpoint.container
        name = container.name or container.hostname or os.path.basename(self.target.rstrip("/"))
        return f"Container {readable(name)}"

    def _processes(self) -> list[Process]:
        details = {"env": True, "files": True, "maps": False}
        ordered = [branch.process for branch in self.checkpoint.tree]
        return [self.masker.process(with_details(self.checkpoint, one, **details)) for one in ordered]

    def _hits(self, searched: SearchResult) -> list[Hit]:
        """Where the texts that the user asked for stand, without what is around them."""
        found = [self.masker.hit(hit) for hit in named(searched.hits, USERS)]
        return [msgspec.structs.replace(hit, context=None) for hit in found]

    def _timeline(self, hits: Sequence[Hit], notes: list[str]) -> list[TimelineEvent]:
        """Every moment; the memory of processes is not read again for it."""
        tokens = find_secrets(
            self.checkpoint, rules=TOKENS, hits=named(hits, SECRET), damaged=self.damaged
        ).findings
        stamped = {owner.pid for hit in named(hits, STAMP) for owner in hit.processes}
        found = timeline_of(
            self.checkpoint, damaged=self.damaged, notes=notes, secrets=tokens, stamped=stamped
        )
        return list(events_of(found, self.masker))

    def _note(self, note: str) -> str:
        for prefix in (PREFIX, USERS, SECRET, STAMP):
            note = note.replace(prefix, "")
        return self.masker.text(readable(note))


def searched_for(texts: Sequence[Pattern], detectors: Sequence[Detector] = DETECTORS) -> list[Pattern]:
    """Everything that is looked for in one pass: by detectors, by the timeline, and by the user."""
    stamp = Pattern("readline", TIME.pattern)
    groups = ((USERS, texts), (SECRET, secret_patterns(TOKENS)), (STAMP, [stamp]))
    return [
        *patterns(detectors),
        *(msgspec.structs.replace(one, name=prefix + one.name) for prefix, group in groups for one in group),
    ]


def named(hits: Sequence[Hit], prefix: str) -> list[Hit]:
    """The hits of one group, each with its pattern's own name."""
    return [
        msgspec.structs.replace(hit, pattern=hit.pattern.removeprefix(prefix))
        for hit in hits
        if hit.pattern.startswith(prefix)
    ]


def unseen(memory: Sequence[ProcessMemory]) -> list[str]:
    """What a report on any checkpoint cannot have looked at, and what of this one is not there."""
    sizes = total(one.sizes for one in memory)
    found = ["files of the container's image that it did not change: they are not in the checkpoint"]
    missing = (
        (sizes.file_only, "of mapped files that no process had changed: those pages were not dumped"),
        (sizes.lazy, "that were left on the source host (a lazy migration)"),
        (sizes.unknown, "of memory that no page map tells of"),
    )
    found += [f"{size(count)} {what}" for count, what in missing if count]
    return [*found, "memory of the kernel, and other containers of the same pod"]


def redacted(part: ReportPart) -> ReportPart:
    """A report to be shown to others: no values of variables, arguments, contents or texts of evidence."""
    return msgspec.structs.replace(
        part,
        findings=[
            msgspec.structs.replace(
                finding, evidence=[msgspec.structs.replace(one, text=None) for one in finding.evidence]
            )
            for finding in part.findings
        ],
        hits=[msgspec.structs.replace(hit, match=MASK, match_base64=None) for hit in part.hits],
        processes=[_redacted_process(process) for process in part.processes],
        container=redacted_container(part.container),
        timeline=[
            msgspec.structs.replace(event, text=event.kind) if event.source in CONTENTS else event
            for event in part.timeline
        ],
    )


CONTENTS = ("log", "logfile", "login", "history", "secret")
"""Sources of moments whose text is what somebody wrote or typed."""


def _redacted_process(process: Process) -> Process:
    changes: dict[str, Any] = {"cmdline_base64": None}
    if process.cmdline:
        changes["cmdline"] = [process.cmdline[0], *(MASK for _ in process.cmdline[1:])]
    if isinstance(process.env, list):
        changes["env"] = [
            msgspec.structs.replace(one, value=one.value and MASK, value_base64=None) for one in process.env
        ]
    return msgspec.structs.replace(process, **changes)


TABLES = ("labels", "annotations", "image_annotations", "facts")
"""Fields of a container with names and values that somebody chose."""


def redacted_container(container: Container) -> Container:
    """A container to be shown to others: no arguments, values of variables, labels or facts of its engine."""
    process = container.process
    if process is not None:
        args = [*process.args[:1], *(MASK for _ in process.args[1:])]
        names = [entry.partition("=")[0] for entry in process.env]
        process = msgspec.structs.replace(process, args=args, env=[f"{name}={MASK}" for name in names])
    nothing: dict[str, Any] = {name: {} for name in TABLES}
    return msgspec.structs.replace(container, process=process, **nothing)
