"""What `diff` says to a person: a summary first, then each aspect, then memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cryoscope.report.memory import ASCII
from cryoscope.report.table import Table, fit
from cryoscope.report.tree import Outline
from cryoscope.report.units import moment, plural, short_id
from cryoscope.text import escape

SIGNS = {"added": "+", "removed": "-", "changed": "~", "unknown": "?", "new": "+", "gone": "-"}
PAGES = ("EQUAL", "CHANGED", "NEW", "GONE", "ZERO", "IN FILE", "UNKNOWN")
RUNS = 6
"""Rows of differing pages shown of one mapping; JSON has up to a thousand."""


def table(part: Any, width: int | None) -> Iterator[str]:
    """One comparison as tables."""
    yield from fit(_heading(part), width)
    yield ""
    yield from _summary(part, width)
    for aspect in part.summary:
        found = [d for d in part.differences if d.aspect == aspect]
        if found:
            yield ""
            yield from _differences(aspect, found, width)
    if part.memory is not None and _pages_said(part):
        yield ""
        yield from _memory(part, width)
    yield from _dump(part)
    yield from _hits(part, width)
    yield from fit((f"note: {note}" for note in part.notes), width)


def _heading(part: Any) -> Iterator[str]:
    yield f"--- {_side(part.before)}"
    yield f"+++ {_side(part.after)}"


def _side(side: Any) -> str:
    what = " ".join(filter(None, (side.engine, side.name, short_id(side.id), moment(side.checkpointed))))
    return f"{side.archive} ({what})"


def _summary(part: Any, width: int | None) -> list[str]:
    """How much of each aspect is different."""
    if not part.different:
        return fit([_nothing(part)], width)
    found = Table(
        "WHAT", "ADDED", "REMOVED", "CHANGED", "UNKNOWN", right=("ADDED", "REMOVED", "CHANGED", "UNKNOWN")
    )
    for aspect, counts in part.summary.items():
        if counts:
            found.add(aspect, *(counts.get(kind) for kind in ("added", "removed", "changed", "unknown")))
    if part.memory is not None and part.memory.total.differing:
        total = part.memory.total
        found.add(
            "memory pages",
            total.new or None,
            total.gone or None,
            total.changed or None,
            total.unknown or None,
        )
    return found.lines(width)


def _nothing(part: Any) -> str:
    unknown = any("unknown" in counts for counts in part.summary.values())
    doubt = ", as far as both can be read" if unknown or (part.memory and part.memory.total.unknown) else ""
    return f"no difference{doubt}"


def _differences(aspect: str, found: Sequence[Any], width: int | None) -> list[str]:
    rows = Table(
        "", "PID", "COMM", aspect.upper(), "FIELD", "BEFORE", "AFTER", right=("PID",), spare=("COMM",)
    )
    for d in found:
        old, new = _values(d)
        rows.add(SIGNS[d.change], _pid(d), d.comm, d.subject, d.field, old, new)
    return rows.lines(width)


def _pid(difference: Any) -> str | None:
    if difference.pid is None:
        return None
    before = difference.pid_before
    return str(difference.pid) if before is None else f"{before}>{difference.pid}"


def _values(difference: Any) -> tuple[str | None, str | None]:
    """Both values as text; of two lists, what is in one only."""
    old, new = difference.old, difference.new
    if isinstance(old, list) and isinstance(new, list) and difference.field != "cmdline":
        return _without(old, new), _without(new, old)
    return _text(old), _text(new)


def _without(one: list[str], other: list[str]) -> str:
    return " ".join(item for item in one if item not in other) or ("(none)" if not one else "")


def _text(value: str | list[str] | None) -> str | None:
    return " ".join(value) if isinstance(value, list) else value


# --- memory -------------------------------------------------------------------------------------
def _pages_said(part: Any) -> bool:
    memory = part.memory
    return any(one.pages.differing or one.pages.unknown for one in (*memory.processes, *memory.objects))


def _memory(part: Any, width: int | None) -> list[str]:
    """A row a process and mapping with differing pages, and where they are."""
    rows = Table("PID", "COMM", "PAGES OF", *PAGES, "WHERE", right=("PID", *PAGES),
                 spare=("IN FILE", "ZERO", "COMM", "UNKNOWN", "EQUAL"))  # fmt: skip
    for process in part.memory.processes:
        if not (process.pages.differing or process.pages.unknown):
            continue
        rows.add(_pid(process), process.comm, "all", *_counts(process.pages), "")
        for vma in process.mappings:
            what = f"{vma.perms} {vma.path or f'[{vma.kind}]'}"
            rows.add(_pid(process), process.comm, what, *_counts(vma.pages), _where(vma))
    for one in part.memory.objects:
        if one.pages.differing or one.pages.unknown:
            who = " ".join(map(str, one.pids))
            rows.add(who, "", f"shared {one.path or one.kind}", *_counts(one.pages), _where(one))
    return rows.lines(width)


def _counts(pages: Any) -> list[int | None]:
    found = (pages.equal, pages.changed, pages.new, pages.gone, pages.zero, pages.file, pages.unknown)
    return [count or None for count in found]


def _where(one: Any) -> str:
    shown = [
        f"{SIGNS[run.change]}{run.address:x}" + (f"x{run.pages}" if run.pages > 1 else "")
        for run in one.runs[:RUNS]
    ]
    more = len(one.runs) - RUNS + one.more
    return " ".join(shown) + (f" and {more} more" if more > 0 else "")


COLUMNS = 16


def _dump(part: Any) -> Iterator[str]:
    """`--hexdump`: the lines that differ, as they were and as they are."""
    last = None
    for found in part.bytes:
        if found.pid != last:
            yield ""
            yield escape(f"@@ {found.pid}/{found.comm} @@")
            last = found.pid
        yield from _lines("-", found.address, found.old)
        yield from _lines("+", found.address, found.new)


def _lines(sign: str, address: int, digits: str | None) -> Iterator[str]:
    data = bytes.fromhex(digits or "")
    for at in range(0, len(data), COLUMNS):
        line = data[at : at + COLUMNS]
        yield f"{sign}{address + at:012x}: {line.hex(' ', -2):<39}  {line.decode('latin-1').translate(ASCII)}"


def _hits(part: Any, width: int | None) -> list[str]:
    """`--search`: what was found in changed and new pages."""
    if not part.hits:
        return []
    rows = Table("PATTERN", "PROCESSES", "ADDRESS", "WHERE", "MATCH", right=("ADDRESS",))
    for hit in part.hits:
        owner = hit.processes[0]
        who = " ".join(f"{one.pid}/{one.comm}" for one in hit.processes[:3])
        place = f"{owner.vma.perms} {owner.vma.path or f'[{owner.vma.kind}]'}"
        rows.add(hit.pattern, who, f"{owner.address:x}", place, hit.match)
    return ["", *rows.lines(width)]


# --- tree ---------------------------------------------------------------------------------------
def tree(part: Any, width: int | None) -> Iterator[str]:
    """One comparison as an outline: by aspect, and in it by process."""
    root = Outline(f"{part.before.archive} -> {part.after.archive}")
    if not part.different:
        root.add(_nothing(part))
    for aspect in part.summary:
        found = [d for d in part.differences if d.aspect == aspect]
        if found:
            _branch(root.add(aspect), found)
    if part.memory is not None and _pages_said(part):
        _memory_branch(root.add("memory"), part.memory)
    for note in part.notes:
        root.add(f"note: {note}")
    return root.lines(width)


def _branch(below: Outline, found: Sequence[Any]) -> None:
    processes: dict[tuple[Any, Any], Outline] = {}
    for d in found:
        key = (_pid(d), d.comm)
        if d.pid is not None and key not in processes:
            processes[key] = below.add(f"{_pid(d)} {d.comm}")
        (processes[key] if d.pid is not None else below).add(_sentence(d))


def _sentence(difference: Any) -> str:
    old, new = _values(difference)
    subject = f"{SIGNS[difference.change]} {difference.subject}"
    if difference.field is None:
        shown = new if new is not None else old
        return f"{subject}: {shown}" if shown else subject
    return f"{subject} {difference.field}: {old or '-'} -> {new or '-'}"


def _memory_branch(below: Outline, memory: Any) -> None:
    for process in memory.processes:
        if process.pages.differing or process.pages.unknown:
            branch = below.add(f"{_pid(process)} {process.comm}: {_said(process.pages)}")
            for vma in process.mappings:
                branch.add(f"{vma.start:x} {vma.perms} {vma.path or f'[{vma.kind}]'}: {_said(vma.pages)}")
    for one in memory.objects:
        if one.pages.differing or one.pages.unknown:
            below.add(f"shared {one.path or one.kind}: {_said(one.pages)}")


def _said(pages: Any) -> str:
    counts = {name: getattr(pages, name) for name in ("changed", "new", "gone", "unknown")}
    known = pages.equal + pages.zero + pages.differing
    return (
        ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        + f" of {plural(known, 'page')}"
    )
