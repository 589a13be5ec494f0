"""A report as Markdown: the core of the page for tickets, wikis and mail.

Everything out of the archive is escaped so that no Markdown or HTML in it is one; the long lists are cut,
with a word of how many are left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cryoscope.report.findings import SEVERITIES
from cryoscope.report.html.facts import container_facts, evidence_facts, outside, overview_facts, where
from cryoscope.report.html.shown import command, short, size, text
from cryoscope.report.units import plural, second
from cryoscope.report.views import endpoints

SPECIAL = re.compile(r"([\\`*_\[\]<>|~&]|^[#+=-]|(?<=^\d)[.)])")
"""What Markdown, tables of it, or HTML in it could take for its own, anywhere or at the start of a line."""

LINKED = re.compile(r"(?i)(?<=[a-z])://|(?<=www)\.|@")
"""What makes a link of bare words in many renderers."""

EVIDENCE, ROWS = 10, 100
DEEPEST = 12


def plain(value: Any) -> str:
    """Any value as words that are only words."""
    words = SPECIAL.sub(r"\\\1", text(value))
    return LINKED.sub(lambda match: "".join(f"&#{ord(c)};" for c in match[0]), words)


def code(value: Any) -> str:
    """Any value as a piece of code: in a fence longer than any in it."""
    words = text(value).replace("|", "¦")
    if not words:
        return ""
    longest = max((len(run) for run in re.findall("`+", words)), default=0)
    fence = "`" * (longest + 1)
    space = " " if words.startswith("`") or words.endswith("`") else ""
    return f"{fence}{space}{words}{space}{fence}"


def markdown(part: Any, damaged: Sequence[Any] = ()) -> Iterator[str]:
    """The lines of a report."""
    yield f"# {plain(part.title)}"
    if part.note:
        yield ""
        yield from (f"> {plain(line)}" for line in part.note.splitlines())
    yield ""
    yield _verdict(part)
    for title, body in (
        ("Overview", _facts(overview_facts(part))),
        ("Findings", _findings(part)),
        ("Processes", _processes(part)),
        ("Sockets", _sockets(part)),
        ("Memory", _memory(part)),
        ("Changed files", _files(part)),
        ("Timeline", _timeline(part)),
        ("Container", _container(part)),
        ("Evidence and method", _method(part, damaged)),
    ):
        yield from ("", f"## {title}", "")
        yield from body


def _verdict(part: Any) -> str:
    counts = Counter(finding.severity for finding in part.findings)
    told = ", ".join(f"**{counts[severity]} {severity}**" for severity in SEVERITIES if counts[severity])
    stopped = "" if part.complete else " The search was stopped before its end."
    return f"Findings: {told or 'none'} ({plural(part.made.detectors, 'detector')}).{stopped}"


def _facts(facts: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield from _table(("", ""), ((name, plain(value)) for name, value in facts))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _findings(part: Any) -> Iterator[str]:
    if not part.findings:
        yield "Nothing suspicious was found."
    for finding in part.findings:
        techniques = f" ({', '.join(finding.techniques)})" if finding.techniques else ""
        yield from (
            f"### {finding.severity.upper()}: {plain(finding.title)}{plain(techniques)}",
            "",
            plain(finding.why),
            "",
        )
        for one in finding.evidence[:EVIDENCE]:
            yield f"- {_evidence(one)}"
        left = len(finding.evidence[EVIDENCE:]) + finding.more
        if left:
            yield f"- and {left} more"
        yield from ("", "Look at next:", "", *(f"1. {plain(step)}" for step in finding.next), "")


def _evidence(one: Any) -> str:
    who = "" if one.pid is None else f"**{one.pid} {plain(one.comm)}** "
    fd = "" if one.fd is None else f"fd {one.fd} "
    place = where(one)
    told = f" {code(one.text)}" if one.text else ""
    return f"{who}{fd}{plain(one.what)}{f' ({code(place)})' if place else ''}{told}"


def _processes(part: Any) -> Iterator[str]:
    depth: dict[int, int] = {}
    for process in part.processes[:ROWS]:
        depth[process.pid] = depth.get(process.ppid, -1) + 1
        state = "" if process.state == "alive" else f" ({plain(process.state)})"
        indent = "  " * min(depth[process.pid], DEEPEST)
        yield f"{indent}- {process.pid} **{plain(process.comm)}**{state} {code(short(command(process), 200))}"
    yield from _left(part.processes, "process")


def _left(items: Sequence[Any], noun: str) -> Iterator[str]:
    if len(items) > ROWS:
        yield from ("", f"The first {ROWS} of {plural(len(items), noun)}; the page and JSON have more.")


def _sockets(part: Any) -> Iterator[str]:
    if not part.sockets:
        yield "No process had a socket open."
        return
    rows = (
        (
            code(endpoints(held.socket)),
            plain(" ".join(f"{one.pid}/{one.comm}:{one.fd}" for one in held.holders[:6])),
        )
        for held in part.sockets[:ROWS]
    )
    yield from _table(("Socket", "Held by"), rows)
    yield from _left(part.sockets, "socket")


def _memory(part: Any) -> Iterator[str]:
    def row(name: str, s: Any) -> Sequence[str]:
        sums = (s.mapped, s.dumped, s.heap, s.anonymous, s.stack, s.file, s.shared, s.missing)
        return (plain(name), *(size(count) for count in sums))

    processes = part.memory.processes
    heads = ("Process", "Mapped", "Dumped", "Heap", "Anonymous", "Stack", "File", "Shared", "Missing")
    rows = [row(f"{one.pid} {one.comm}", one.sizes) for one in processes[:ROWS]]
    yield from _table(heads, [*rows, row("all", part.memory.total)])
    yield from _left(processes, "process")


def _files(part: Any) -> Iterator[str]:
    if not part.files:
        yield "The archive holds no changed files."
        return
    rows = (
        (
            plain(one.change),
            code(one.path),
            size(one.size),
            code(one.mode),
            second(one.mtime_ns),
        )
        for one in part.files[:ROWS]
    )
    yield from _table(("Change", "Path", "Size", "Mode", "Modified"), rows)
    yield from _left(part.files, "path")


def _timeline(part: Any) -> Iterator[str]:
    if not part.timeline:
        yield "Nothing in the archive has a time."
        return
    rows = (
        (second(event.time_ns), plain(event.source), plain(event.kind), plain(short(event.text, 200)))
        for event in part.timeline[-ROWS:]
    )
    yield from _table(("Time", "Source", "What", "Of"), rows)
    if len(part.timeline) > ROWS:
        yield from (
            "",
            f"The last {ROWS} of {plural(len(part.timeline), 'moment')}; the page and JSON have more.",
        )


def _container(part: Any) -> Iterator[str]:
    yield from _facts(container_facts(part))
    mounts = outside(part)
    if mounts:
        yield from ("", "From outside the container:", "")
        yield from _table(
            ("At", "From", "Type", "Flags"), (tuple(code(cell) for cell in row) for row in mounts[:ROWS])
        )
        yield from _left(mounts, "mount")


def _method(part: Any, damaged: Sequence[Any]) -> Iterator[str]:
    yield from _facts(evidence_facts(part))
    lists = (
        ("Damaged or missing", [f"{code(one.part)}: {plain(one.problem)}" for one in damaged]),
        ("Not looked at", [plain(one) for one in part.unseen]),
        ("Notes", [plain(one) for one in part.notes]),
    )
    for title, items in lists:
        if items:
            yield from ("", f"{title}:", "", *(f"- {item}" for item in items[:ROWS]))
            yield from _left(items, "item")
