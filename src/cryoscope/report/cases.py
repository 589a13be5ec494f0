"""Cases, their pieces and their custody logs, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cryoscope.report.table import Table, fit
from cryoscope.report.units import moment, plural, short_id, size


def cases(parts: Sequence[Any], width: int | None) -> list[str]:
    """Every case, one a line."""
    table = Table(
        "CASE",
        "PIECES",
        "SIZE",
        "HOLD",
        "CREATED",
        "BY",
        "DESCRIPTION",
        right=("PIECES", "SIZE"),
        spare=("BY",),
    )
    for part in parts:
        it = part.case
        hold = "held" if it.hold else None
        table.add(it.name, it.pieces, size(it.size), hold, moment(it.created), it.operator, it.description)
    return table.lines(width)


def case(part: Any, width: int | None) -> list[str]:
    """The new case."""
    return fit([f"case {part.case.name}: `cryoscope case add {part.case.name} ARCHIVE` adds evidence"], None)


def added(part: Any, width: int | None) -> list[str]:
    """What became of one archive."""
    return fit(_added(part), None)


def _added(part: Any) -> Iterator[str]:
    piece = part.piece
    if not part.new:
        yield f"{part.archive}: is in the case already, as {part.address}"
        return
    yield f"{part.archive}: kept as {part.address}"
    yield f"  sha256     {piece.sha256}"
    yield f"  stored     {_stored(piece)}"
    yield from (f"  damaged    {line}" for line in part.damaged)


def _stored(piece: Any) -> str:
    """How its bytes lie."""
    stored = piece.stored
    as_what = ", ".join(stored.forms) or "as it was given"
    to = f" to {plural(len(stored.recipients), 'recipient')}" if stored.recipients else ""
    return f"{size(stored.size)} of {size(piece.size)}, {as_what}{to}"


def pieces(part: Any, width: int | None) -> list[str]:
    """The pieces of a case, one a line."""
    table = Table(
        "SHA256",
        "ADDED",
        "SIZE",
        "STATE",
        "ENGINE",
        "CONTAINER",
        "POD",
        "CAPTURED",
        "NAME",
        right=("SIZE",),
        spare=("CAPTURED", "ENGINE", "POD", "ADDED"),
    )
    for each in part.pieces:
        pod = f"{each.namespace}/{each.pod}" if each.pod else None
        state = "held" if each.holds and each.state == "kept" else each.state
        when = moment(each.added), size(each.size), state
        table.add(
            short_id(each.sha256), *when, each.engine, each.container, pod, moment(each.captured), each.name
        )
    return table.lines(width) if part.pieces else ["no pieces"]


def piece(part: Any, width: int | None) -> list[str]:
    """One piece: what it is, who signed that, who used it."""
    return [*fit(_piece(part), None), *_entries(part.entries, of_one=True).lines(width)]


def _piece(part: Any) -> Iterator[str]:
    it = part.piece
    yield it.name
    for name, value in (
        ("sha256", it.sha256),
        ("stored", _stored(it)),
        ("state", it.state + (f", {plural(it.holds, 'hold')}" if it.holds else "")),
        ("captured", moment(it.captured)),
        ("added", f"{moment(it.added)} by {it.operator}"),
        ("engine", it.engine),
        ("container", it.container),
        ("pod", f"{it.namespace}/{it.pod}" if it.pod else None),
        ("node", it.node),
        ("image", it.image),
        ("manifest", it.manifest),
        ("signed by", part.key_id),
        ("PROBLEM", part.problem),
    ):
        if value:
            yield f"  {name:<10} {value}"
    if part.manifest is not None:
        yield f"  {'members':<10} {len(part.manifest.members)}"
        yield from (f"  {'damaged':<10} {line}" for line in part.manifest.damaged)
    yield ""


def entry(part: Any, width: int | None) -> list[str]:
    """What was written down."""
    it = part.entry
    return fit([f"{it.case}: entry {it.number}, {it.action}, {moment(it.time)} by {it.operator}"], None)


def log(part: Any, width: int | None) -> list[str]:
    """The custody log of a case, one entry a line."""
    return _entries(part.entries).lines(width)


def _entries(entries: Iterable[Any], *, of_one: bool = False) -> Table:
    """Entries one a line; the piece is named unless all are `of_one`."""
    spare = ("HOST", "PIECE")
    table = Table("N", "TIME", "ACTION", "OPERATOR", "HOST", "PIECE", "REASON", right=("N",), spare=spare)
    for each in entries:
        who = each.operator, each.host, None if of_one else short_id(each.piece)
        said = "; ".join(filter(None, (each.reason, _why(each))))
        table.add(each.number, moment(each.time), each.action, *who, said)
    return table


def _why(entry: Any) -> str:
    """What the entry itself says, beside the reason that somebody gave."""
    if entry.action == "verify":
        return plural(entry.details.get("problems", 0), "problem")
    if entry.action == "refused":
        return f"no role for {entry.details.get('action', '')}"
    return str(entry.details.get("why", ""))


def heads(parts: Sequence[Any], width: int | None) -> list[str]:
    """One line a case, and nothing else."""
    return fit([part.witness for part in parts], None)


def keys(part: Any, width: int | None) -> list[str]:
    """The public key as a file has it, and the ids of those that count."""
    lines = [*part.public.splitlines(), f"id       {part.key_id}"]
    return fit([*lines, *(f"trusted  {key}" for key in part.trusted)], None)


def verified(part: Any, width: int | None) -> list[str]:
    """What was read, and what is wrong."""
    return fit(_verified(part), None)


def _verified(part: Any) -> Iterator[str]:
    read = f"{plural(part.pieces, 'piece')}, {plural(part.members, 'member')}, {size(part.bytes)}"
    state = "holds" if part.holds else f"{plural(len(part.problems), 'problem')}"
    yield f"{part.archive}: {state} ({read}, {part.entries} entries of the log)"
    for each in part.problems:
        yield f"  WRONG  {each.code}: {each.where}: {each.what}"
        if each.cure:
            yield f"         {each.cure}"
    for each in part.notes:
        yield f"  note   {each.code}: {each.where}: {each.what}"


def exported(part: Any, width: int | None) -> list[str]:
    """Where the bundle lies and how to begin with it."""
    what = f"{plural(part.pieces, 'piece')}, {plural(len(part.files), 'file')}, {size(part.bytes)}"
    return fit([f"{part.archive}: {part.folder}: {what}", f"  read {part.folder}/README.txt"], None)


def pruned(part: Any, width: int | None) -> list[str]:
    """What went or would go, one a line, and how much that is."""
    spare = ("NAME", "SINCE")
    table = Table("WHAT", "SINCE", "SIZE", "WHY", "LEFT", "NAME", right=("SIZE",), spare=spare)
    for each in part.gone:
        name = None if each.address.endswith(each.name) else each.name
        table.add(each.address, moment(each.time), size(each.size), each.why, each.left, name)
    count = sum(each.left is None for each in part.gone)
    would = "would go (--apply does it)" if part.dry_run else "went"
    said = f"{count} {would}, {size(part.freed)}; {part.kept} stay"
    return [*(table.lines(width) if part.gone else []), *fit([said, *part.notes], None)]
