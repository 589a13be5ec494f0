"""Equal values are one finding; what a general rule found of another rule's secret is left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.examine.secrets.records import (
    CONFIDENCES,
    SEVERITIES,
    Finding,
    Place,
    Rule,
    Verdict,
    Who,
)
from cryoscope.text import with_bytes

CONTAINED = 6
"""Bytes of a value from which on it can be told in another one; shorter ones are there by chance."""

COMPARED = 2000
"""Values that general ones are compared with."""


class _Folded(msgspec.Struct):
    rule: Rule
    verdict: Verdict
    count: int = 0
    who: dict[Who, None] = {}
    places: list[Place] = []


class Folder:
    """Collects verdicts with their places."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._order = {rule.id: index for index, rule in enumerate(rules)}
        self._found: dict[tuple[str, bytes], _Folded] = {}
        self._left_out = 0

    def add(self, rule: Rule, verdict: Verdict, place: Place, who: Sequence[Who]) -> None:
        """One more place of a secret; the surest verdict counts, and the best known."""
        key = rule.id, verdict.value
        folded = self._found.get(key)
        if folded is None:
            if len(self._found) >= limits.SECRET_FINDINGS:
                self._left_out += 1
                return
            folded = self._found[key] = _Folded(rule, verdict)
        if _weight(verdict) > _weight(folded.verdict):
            folded.verdict = verdict
        folded.count += 1
        if len(folded.places) < limits.SECRET_PLACES:
            folded.places.append(place)
        for one in who:
            if len(folded.who) < limits.SECRET_PLACES:
                folded.who[one] = None

    def findings(self, notes: list[str]) -> list[Finding]:
        """All of them, the worst first; `notes` gets what was left out."""
        if self._left_out:
            notes.append(f"{self._left_out} secrets more than {limits.SECRET_FINDINGS} were left out")
        kept = self._without_repeats()
        return [_finding(folded) for folded in sorted(kept, key=self._rank)]

    def _rank(self, folded: _Folded) -> tuple[int, int, int]:
        found, rule = folded.verdict, folded.rule
        severity = SEVERITIES.index(found.severity or rule.severity)
        return -severity, -CONFIDENCES.index(found.confidence), self._order[rule.id]

    def _without_repeats(self) -> list[_Folded]:
        """Without what a general rule says of a value that another rule knows, or that holds such a one."""
        self._drop_inner_keys()
        special = {value for (_, value), folded in self._found.items() if not folded.rule.generic}
        long = [value for value in special if len(value) >= CONTAINED][:COMPARED]
        whole = b"\0".join(long)
        kept: dict[tuple[str, bytes], _Folded] = {}
        for (_, value), folded in self._found.items():
            known = value in special or (len(value) >= CONTAINED and value in whole)
            if not folded.rule.generic:
                kept[folded.rule.id, value] = folded
            elif not known and not any(other in value for other in long):
                kept["", value] = _joined(kept.get(("", value)), folded)
        return list(kept.values())

    def _drop_inner_keys(self) -> None:
        """PKCS#8 holds the key in the format of its kind, which looks like a second one."""
        keys = [key for key, folded in self._found.items() if folded.rule.kind == "key"][:COMPARED]
        for rule, value in keys:
            if any(rule == other and value != whole and value in whole for other, whole in keys):
                del self._found[rule, value]


def _joined(one: _Folded | None, two: _Folded) -> _Folded:
    """What two general rules found of one value, under the name of the surer one."""
    if one is None:
        return two
    better, other = (one, two) if _weight(one.verdict) >= _weight(two.verdict) else (two, one)
    return _Folded(
        better.rule,
        better.verdict,
        one.count + two.count,
        dict([*better.who.items(), *other.who.items()][: limits.SECRET_PLACES]),
        [*better.places, *other.places][: limits.SECRET_PLACES],
    )


def _weight(verdict: Verdict) -> tuple[int, int]:
    return CONFIDENCES.index(verdict.confidence), len(verdict.details)


def _finding(folded: _Folded) -> Finding:
    rule, verdict = folded.rule, folded.verdict
    fields: dict[str, Any] = with_bytes("value", verdict.value)
    return Finding(
        rule=rule.id,
        title=rule.title,
        kind=rule.kind,
        severity=verdict.severity or rule.severity,
        confidence=verdict.confidence,
        size=len(verdict.value),
        public=verdict.public,
        details=verdict.details,
        count=folded.count,
        processes=sorted(folded.who),
        places=folded.places,
        **fields,
    )
