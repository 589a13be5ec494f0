"""One part of a unit: what yara-x says of it, as records that say where that is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from cryoscope import limits
from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.memory import Address
from cryoscope.errors import Damaged
from cryoscope.examine.search import Owner
from cryoscope.examine.yara.records import Meta, YaraHit, YaraMatch, YaraString
from cryoscope.examine.yara.rules import library
from cryoscope.examine.yara.units import Unit, Window, owners_at
from cryoscope.text import readable, with_bytes


class Found(NamedTuple):
    """A match at a place of the unit, with its first bytes."""

    place: int
    size: int
    xor_key: int | None
    data: bytes


class Partial(NamedTuple):
    """A rule that matched in a window; `repeated` is how many matches the window before it has, too."""

    hit: YaraHit
    repeated: dict[str, int]


class Matcher:
    """Scans units with one scanner."""

    def __init__(self, checkpoint: Checkpoint, rules: Any, *, seconds: int, matches: int) -> None:
        yara = library()
        self._errors = (yara.ScanError, yara.TimeoutError)
        self._timeout = yara.TimeoutError
        self._seconds = seconds
        self._matches = matches
        self._checkpoint = checkpoint
        self._scanner = yara.Scanner(rules)
        self._scanner.set_timeout(seconds)
        self._scanner.max_matches_per_pattern(limits.YARA_MATCHES)
        self.damaged: list[Damaged] = []

    def hits(self, window: Window) -> Iterator[Partial]:
        """The rules that match in a window; a scan that took too long is named in `damaged`."""
        data = window.unit.read(window.low, window.high)
        for rule in self._scan(window.unit, data):
            strings = {pattern.identifier: _found(window, data, pattern) for pattern in rule.patterns}
            if any(strings.values()) or not any(pattern.matches for pattern in rule.patterns):
                yield Partial(self._hit(window, rule, strings), _repeated(window, strings))

    def _scan(self, unit: Unit, data: bytes) -> tuple[Any, ...]:
        if not data:
            return ()
        try:
            return tuple(self._scanner.scan(data).matching_rules)
        except self._errors as error:
            late = isinstance(error, self._timeout)
            problem = f"the scan took longer than {self._seconds} s" if late else str(error)
            code = "yara.timeout" if late else "yara.scan"
            self.damaged.append(Damaged(_name(unit), f"not scanned: {problem}", code))
            return ()

    # --- records -----------------------------------------------------------------------------
    def _hit(self, window: Window, rule: Any, strings: dict[str, list[Found]]) -> YaraHit:
        unit = window.unit
        places = [found.place for kept in strings.values() for found in kept[:1]]
        region, inside = unit.locate(min(places, default=window.low)) or (unit.first, 0)
        owners = owners_at(self._checkpoint, region, inside)
        member, offset = region.at(inside)
        first = owners[0] if owners else None
        return YaraHit(
            rule=rule.identifier,
            namespace=rule.namespace,
            tags=list(rule.tags),
            meta=[Meta(name, _value(value)) for name, value in rule.metadata],
            place=unit.first.kind,
            scanned=unit.scanned,
            address=first.address if first else None,
            vma=first.vma if first else None,
            processes=owners,
            holders=unit.first.holders,
            object=unit.first.number,
            path=region.path,
            member=member,
            offset=offset,
            strings=[self._string(unit, name, kept, first) for name, kept in strings.items() if kept],
        )

    def _string(self, unit: Unit, name: str, kept: list[Found], first: Owner | None) -> YaraString:
        shown = [self._match(unit, found, first) for found in kept[: self._matches]]
        return YaraString(name, len(kept), shown, len(kept) >= limits.YARA_MATCHES)

    def _match(self, unit: Unit, found: Found, first: Owner | None) -> YaraMatch:
        region, inside = unit.locate(found.place) or (unit.first, 0)
        member, offset = region.at(inside)
        owners = owners_at(self._checkpoint, region, inside)
        owner = next((o for o in owners if first is not None and o.pid == first.pid), None)
        return YaraMatch(
            size=found.size,
            address=Address(owner.address) if owner else None,
            vma=owner.vma if owner and first and owner.vma != first.vma else None,
            member=member,
            offset=offset,
            xor_key=found.xor_key or None,
            **with_bytes("match", found.data),
        )


def _found(window: Window, data: bytes, pattern: Any) -> list[Found]:
    """The matches of a string; those that begin in a gap are none."""
    return [
        Found(
            window.low + match.offset,
            match.length,
            match.xor_key,
            data[match.offset : match.offset + min(match.length, limits.YARA_SHOWN)],
        )
        for match in pattern.matches
        if window.unit.locate(window.low + match.offset) is not None
    ]


def _repeated(window: Window, strings: dict[str, list[Found]]) -> dict[str, int]:
    return {
        name: sum(found.place + found.size <= window.start for found in kept)
        for name, kept in strings.items()
        if window.number
    }


def _value(value: Any) -> str | int | float | bool:
    found: str | int | float | bool = readable(value) if isinstance(value, bytes | str) else value
    return found


def _name(unit: Unit) -> str:
    """A unit for a person."""
    first = unit.first
    if first.owners:
        return f"pid {first.owners[0].pid}, {first.kind} at {first.owners[0].address:#x}"
    return f"{first.kind} {first.path or first.number or first.at(0)[0]}"
