"""Where indicators come from, one source a file; a new one is a file and a line in `SOURCES`."""

from collections.abc import Callable

from cryoscope.examine.iocs.asked import Asked
from cryoscope.examine.iocs.sources import commands, files, findings, memfds, memory, sockets

SOURCES: tuple[Callable[[Asked], None], ...] = (
    sockets.collect,
    files.collect,
    memfds.collect,
    commands.collect,
    memory.collect,
    findings.collect,
)
"""In the order in which they are asked; the last raises what others have found."""
