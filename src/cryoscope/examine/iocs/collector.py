"""Indicators as they are gathered: one for each value, with all its sightings and the best reason for it."""

from __future__ import annotations

from typing import Any

import msgspec

from cryoscope import limits
from cryoscope.examine.iocs.records import CONFIDENCES, KINDS, Ioc, Sighting


class _Gathered(msgspec.Struct):
    confidence: str
    why: str
    count: int = 0
    facts: dict[str, Any] = {}
    sightings: dict[Sighting, None] = {}


class Collector:
    """Gathers indicators by kind and value."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], _Gathered] = {}
        self.notes: list[str] = []
        self._left_out = 0

    def add(self, kind: str, value: str, confidence: str, why: str, sighting: Sighting, **facts: Any) -> None:
        """A sighting of a value; the reason of the highest confidence is kept."""
        known = self._found.get((kind, value))
        if known is None:
            if len(self._found) >= limits.IOCS:
                self._left_out += 1
                return
            known = self._found[kind, value] = _Gathered(confidence, why)
        elif CONFIDENCES.index(confidence) > CONFIDENCES.index(known.confidence):
            known.confidence, known.why = confidence, why
        known.facts |= {name: fact for name, fact in facts.items() if fact}
        if sighting not in known.sightings:
            known.count += sighting.count
            if len(known.sightings) < limits.IOC_SIGHTINGS:
                known.sightings[sighting] = None

    def raise_to(self, kind: str, value: str, confidence: str, why: str) -> None:
        """Another reason for a value that was seen already."""
        known = self._found.get((kind, value))
        if known is not None and CONFIDENCES.index(confidence) > CONFIDENCES.index(known.confidence):
            known.confidence, known.why = confidence, why

    def iocs(self) -> list[Ioc]:
        """The surest first, then by kind, how often it was seen, and value."""
        if self._left_out:
            self.notes.append(f"{self._left_out} more were left out: {limits.IOCS} are enough")
        found = [
            Ioc(
                kind=kind,
                value=value,
                confidence=one.confidence,
                why=one.why,
                count=one.count,
                sightings=list(one.sightings),
                **one.facts,
            )
            for (kind, value), one in self._found.items()
        ]
        return sorted(found, key=_order)


def _order(ioc: Ioc) -> tuple[int, int, int, str]:
    return -CONFIDENCES.index(ioc.confidence), KINDS.index(ioc.kind), -ioc.count, ioc.value
