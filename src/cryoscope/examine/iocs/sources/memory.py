"""Everything that looks like an indicator in the memory of the processes."""

from __future__ import annotations

from cryoscope.examine.indicators import Indicator, find_indicators
from cryoscope.examine.iocs.asked import Asked
from cryoscope.examine.iocs.records import Sighting

WHY = "it stands in memory"


def collect(asked: Asked) -> None:
    """Values that are counted in memory, where they may have come from anywhere."""
    if not asked.in_texts:
        return
    result = find_indicators(asked.checkpoint, kinds=asked.in_texts, progress=asked.progress)
    asked.damaged += result.damaged
    asked.found.notes += result.notes
    for found in result.indicators:
        for sighting in _sightings(found):
            asked.value(found.kind, found.value, found.note, "low", WHY, sighting)


def _sightings(found: Indicator) -> list[Sighting]:
    return [
        Sighting(source="memory", count=seen.count, pid=seen.pid, comm=seen.comm, address=seen.address)
        for seen in found.processes
    ]
