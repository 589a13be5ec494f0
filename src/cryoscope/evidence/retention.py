"""What may go: rules of count, age and size, the oldest first.  Pure: pieces and a time in, the doomed out.

What is held is outside of all rules: it is neither removed nor counted.  The rules are taken in their order,
each over what those before it left.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Generic, TypeVar

import msgspec

from cryoscope.errors import UsageError
from cryoscope.evidence.clock import later
from cryoscope.evidence.records import KEPT, Piece, Record
from cryoscope.limits import RETENTION_RULES
from cryoscope.text import readable

PER = ("all", "case", "namespace", "pod", "container")
SIZES = {"": 1, "B": 1} | {
    prefix + unit: base**power
    for power, prefix in enumerate("KMGTP", 1)
    for unit, base in (("iB", 1024), ("B", 1000), ("", 1024))
}
"""What may follow a number of bytes: `20GiB`, `20GB` (of 1000), `20G` (of 1024)."""
AGES = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
NUMBER = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([A-Za-z]{0,3})", re.ASCII)

T = TypeVar("T")


class Rule(Record, frozen=True, kw_only=True):
    """At most `count` pieces, none older than `age` (s), `size` bytes as stored; None: no such bound.

    `per` (of `PER`) is what the bounds are of.
    """

    per: str = "all"
    count: int | None = None
    age: float | None = None
    size: int | None = None


class Doomed(Record, frozen=True, kw_only=True, gc=False):
    """A piece that a rule has go, and which."""

    piece: Piece
    why: str


class Kind(msgspec.Struct, Generic[T]):
    """What a kind of thing is counted by: when it came, its size, and its unit for one of `PER`, or none."""

    time: Callable[[T], str]
    size: Callable[[T], int]
    unit: Callable[[T, str], object]


def rule(per: str = "all", count: int = 0, age: str = "", size: str = "") -> Rule:
    """A rule as settings and commands have it ("" and 0: no bound).

    Raises `UsageError` (`retention.per`, `.count`, `.age`, `.size`, `.no-bound`).
    """
    if per not in PER:
        raise _wrong("per", f"{readable(per)!r} is nothing to count by", f"one of {', '.join(PER)}")
    if count < 0:
        raise _wrong("count", f"{count} is no number of pieces", "0 means any number")
    found = Rule(
        per=per,
        count=count or None,
        age=seconds(age) if age else None,
        size=bytes_of(size) if size else None,
    )
    if found.count is found.age is found.size is None:
        raise _wrong("no-bound", "a rule of retention without a bound", "give it a count, an age or a size")
    return found


def bytes_of(text: str) -> int:
    """Bytes of "20GiB", "500MB", "1.5T" or "4096"; raises `UsageError` `retention.size`."""
    found = NUMBER.fullmatch(text.strip())
    factor = SIZES.get(_unit(found[2])) if found else None
    if found is None or factor is None:
        raise _wrong("size", f"{readable(text)!r} is no size", "write it as 20GiB, 500MiB or 1.5TiB")
    return int(float(found[1]) * factor) if "." in found[1] else int(found[1]) * factor


def _unit(text: str) -> str:
    """A unit as `SIZES` has it, however it was written."""
    return text.upper().replace("I", "i")


def seconds(text: str) -> float:
    """Seconds of "90d", "12h", "2w" or "1y" (365 days); raises `UsageError` `retention.age`."""
    found = NUMBER.fullmatch(text.strip())
    factor = AGES.get(found[2].lower()) if found else None
    if found is None or factor is None:
        raise _wrong("age", f"{readable(text)!r} is no age", "write it as 90d, 12h, 2w or 1y")
    return float(found[1]) * factor


def _wrong(code: str, what: str, cure: str) -> UsageError:
    return UsageError(what, hint=cure, code=f"retention.{code}")


def plan(
    pieces: Iterable[Piece], rules: Sequence[Rule], now: str, *, held: Collection[str] = ()
) -> list[Doomed]:
    """What goes by the rules, oldest first; `held` are the names of cases that are held.

    A piece's age is counted from when it was added, which no archive can forge.
    """
    free = [piece for piece in pieces if piece.state == KEPT and not piece.holds and piece.case not in held]
    return [Doomed(piece=piece, why=why) for piece, why in chosen(free, PIECE, rules, now)]


def _unit_of(piece: Piece, per: str) -> object:
    place = piece.node, piece.engine
    if per == "case":
        return piece.case
    return unit(per, piece.namespace, piece.pod, piece.container or piece.container_id, place)


def unit(per: str, namespace: str | None, pod: str | None, container: str | None, place: object) -> object:
    """What a container counts among, None if that is not known.

    `place` is where names without a namespace count: two nodes may use one name for two things.
    """
    if per == "namespace":
        return namespace or None
    if per == "pod":
        return (namespace or place, pod) if pod else None
    return (namespace or place, pod, container) if container else None


PIECE: Kind[Piece] = Kind(attrgetter("added"), attrgetter("stored.size"), _unit_of)


def chosen(things: Iterable[T], kind: Kind[T], rules: Sequence[Rule], now: str) -> Iterator[tuple[T, str]]:
    """The things that go, oldest first, each with why; raises `UsageError` for too many rules.

    One pair at a time: a list of a hundred thousand would have Python look for garbage again and again.
    """
    if len(rules) > RETENTION_RULES:
        raise _wrong("rules", f"{len(rules)} rules of retention", f"{RETENTION_RULES} are the most")
    things = sorted(things, key=kind.time)
    sizes = [kind.size(thing) for thing in things]
    left: Sequence[int] = range(len(things))
    gone: dict[int, str] = {}
    for bound in rules:
        old = bisect_left(things, _before(now, bound.age), key=kind.time)
        for group in _groups(things, left, kind, bound.per):
            gone |= _of_group(bound, group, sizes, old)
        left = [number for number in left if number not in gone]
    return ((things[number], gone[number]) for number in sorted(gone))


def _groups(things: Sequence[T], left: Sequence[int], kind: Kind[T], per: str) -> Iterable[Sequence[int]]:
    """The numbers of the things of each unit, in order of time; what has no such unit is in none."""
    if per == "all":
        return [left]
    groups: dict[object, list[int]] = {}
    for number in left:
        if (of := kind.unit(things[number], per)) is not None:
            groups.setdefault(of, []).append(number)
    return groups.values()


def _of_group(bound: Rule, group: Sequence[int], sizes: Sequence[int], old: int) -> dict[int, str]:
    """What of one group goes, by number, and why; what comes before the number `old` is too old."""
    gone: dict[int, str] = {}
    count, size = len(group), sum(sizes[number] for number in group)
    aged, many, large = _reasons(bound)
    for number in group:
        if number < old:
            gone[number] = aged
        elif bound.count is not None and count > bound.count:
            gone[number] = many
        elif bound.size is not None and size > bound.size:
            gone[number] = large
        else:
            break
        count -= 1
        size -= sizes[number]
    return gone


def _reasons(bound: Rule) -> tuple[str, str, str]:
    of = "" if bound.per == "all" else f" per {bound.per}"
    aged = f"age: older than {_age(bound.age or 0)}"
    return aged, f"count: more than {bound.count}{of}", f"size: more than {_size(bound.size or 0)}{of}"


def _before(now: str, age: float | None) -> str:
    """The time before which things are too old; the beginning of time for an age that reaches behind it."""
    limit = later(now, -age) if age is not None else ""
    return limit if limit <= now else ""


def _age(age: float) -> str:
    """Seconds as the largest unit that tells them whole."""
    named = [(factor, unit) for unit, factor in AGES.items() if unit != "y" and age % factor == 0 and age]
    factor, unit = max(named, default=(1, "s"))
    return f"{age / factor:g}{unit}"


def _size(size: int) -> str:
    """Bytes as the largest unit that tells them whole."""
    named = [
        (base, unit) for unit, base in SIZES.items() if unit.endswith("iB") and size % base == 0 and size
    ]
    base, unit = max(named, default=(1, " bytes"))
    return f"{size // base}{unit}"
