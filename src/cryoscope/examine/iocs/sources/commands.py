"""Command lines, environments and what the engine was told to run."""

from __future__ import annotations

from cryoscope.examine.iocs.asked import Asked
from cryoscope.examine.iocs.records import Sighting
from cryoscope.examine.secrets.structured import Text, texts
from cryoscope.text import readable

SHOWN = 200
"""Characters of an argument or a variable that are shown."""

WHY = {
    "cmdline": "it stands in a command line",
    "environment": "it stands in the environment of a process",
    "spec": "the container was created with it",
}
SURE = {"cmdline": "medium", "environment": "low", "spec": "low"}
"""What was configured is known to whoever configured it."""


def collect(asked: Asked) -> None:
    """Indicators in what processes were told."""
    for found in texts(asked.checkpoint, (), asked.damaged):
        for text in found:
            asked.text(text.data, SURE[text.place], WHY[text.place], _sighting(text))


def _sighting(text: Text) -> Sighting:
    shown = readable(text.data[: SHOWN * 4])[:SHOWN]
    return Sighting(
        source=text.place,
        pid=text.who.pid if text.who else None,
        comm=text.who.comm if text.who else None,
        text=shown if text.place != "cmdline" else f"{text.name}: {shown}",
    )
