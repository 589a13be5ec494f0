"""What engines answered, for people: captures, restores, what can be captured, what works."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from cryoscope.report.table import Table, fit
from cryoscope.report.units import size

MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL", "hard": "FAIL", "soft": "warn", "note": "note"}
SHORT_ID = 12


def captured(part: Any, width: int | None) -> list[str]:
    """One capture: what was taken, where it lies, and what is not in it."""
    return fit(_captured(part), None)  # what is copied must not be cut


def _captured(part: Any) -> Iterator[str]:
    who = part.container
    if part.complete:
        yield f"{part.archive}: {size(part.size)}, complete"
    elif part.location:
        yield f"captured, not collected: {part.location}" + (f" on {who.node}" if who.node else "")
    yield f"  container  {who.name or who.id[:SHORT_ID]}, {part.engine} {part.version}".rstrip()
    if part.sha256:
        yield f"  sha256     {part.sha256}"
    if part.processes is not None:
        yield f"  holds      {part.processes} processes, {size(part.memory)} of memory"
    yield f"  took       {part.seconds:.2f} s, {part.engine_seconds:.2f} s of it the engine's"
    if part.companions:
        yield f"  beside it  {part.companions}"
    if part.evidence and part.evidence != part.archive:
        yield f"  evidence   {part.evidence}"
    for line in part.left_out:
        yield f"  not in it  {line}"
    for line in part.notes:
        yield f"  note       {line}"
    yield from _concerns(part.concerns)


def collected(part: Any, width: int | None) -> list[str]:
    """One archive that came off its node."""
    lines = [
        f"{part.archive}: {size(part.size)}, complete",
        f"  from       {part.location} on {part.node}, by {part.by}",
        f"  sha256     {part.sha256}",
        f"  holds      {part.processes} processes, {size(part.memory)} of memory",
    ]
    if part.resumed:
        lines.append(f"  note       the stream broke {part.resumed} times and was taken up again")
    if part.removed:
        lines.append("  note       the node's copy is gone")
    return fit(lines, None)


def _concerns(concerns: Iterable[Any]) -> Iterator[str]:
    for each in concerns:
        yield f"  {MARKS[each.weight]}  {each.what}"
        if each.cure:
            yield f"        {each.cure}"


def restored(part: Any, width: int | None) -> list[str]:
    """One archive: the containers that go on, what they are kept from, and what was cleaned."""
    return fit(_restored(part), None)


def _restored(part: Any) -> Iterator[str]:
    if part.dry_run:
        yield f"{part.archive}: nothing stands against restoring it to {part.engine}"
    for each in part.restored:
        yield f"{each.target} goes on" + (f", pid {each.pid}" if each.pid else "")
        yield from (f"  sandbox    {line}" for line in each.sandbox)
        yield from (f"  note       {line}" for line in each.notes)
        if each.remove:
            yield f"  remove     {each.remove}"
    for claim in part.cleaned:
        yield f"  cleaned    {claim.what} ({claim.code})"
    yield from _concerns(part.concerns)
    yield from (f"  warning    {line}" for line in part.warnings)


def containers(part: Any, width: int | None) -> list[str]:
    """The containers of one engine: the target to give, and what can be done with it."""
    table = Table(
        "TARGET", "NAME", "STATE", "CAPTURE", "RESTORE", "POD", "IMAGE", spare=("POD", "IMAGE", "RESTORE")
    )
    for each in part.containers:
        pod = f"{each.namespace}/{each.pod}" if each.pod else None
        can = _ability(each.capture), _ability(each.restore)
        table.add(each.target, each.name, each.state, *can, pod, each.image)
    return table.lines(width) if part.containers else ["no containers"]


def _ability(ability: Any) -> str:
    return "yes" if ability.can else f"no: {ability.why}"


def health(part: Any, width: int | None) -> list[str]:
    """What works on the host or with an engine, line by line with the cure."""
    return fit(_health(part), None)


def _health(part: Any) -> Iterator[str]:
    if part.probe is not None:
        probe = part.probe
        yield f"{probe.engine} {probe.version}".strip() + (f", {probe.runtime}" if probe.runtime else "")
        yield from _line("ok" if probe.capture.can else "fail", "capture", probe.capture)
        yield from _line("ok" if probe.restore.can else "warn", "restore", probe.restore)
    for check in part.checks:
        yield f"  {MARKS[check.state]}  {check.what}"
        if check.cure and check.state != "ok":
            yield f"        {check.cure}"
    yield from _concerns(part.concerns)


def _line(state: str, what: str, ability: Any) -> Iterator[str]:
    yield f"  {MARKS[state]}  {what}" + (f": {ability.why}" if ability.why else "")
    if ability.cure and not ability.can:
        yield f"        {ability.cure}"
