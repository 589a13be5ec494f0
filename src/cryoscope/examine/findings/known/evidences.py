"""Evidence of the kinds that several detectors have: of a socket, of a mount, of hits that repeat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cryoscope.checkpoint.process.holders import HeldSocket
from cryoscope.examine.findings.known.mounts import HostMount
from cryoscope.examine.findings.records import Evidence
from cryoscope.examine.search.hits import IN_FILES, Hit


def of_socket(held: HeldSocket, what: str) -> Evidence:
    """A socket, and the first process that holds it."""
    socket = held.socket
    ends = f"{socket.local or ''} -> {socket.remote}" if socket.remote else socket.local or ""
    text = " ".join(part for part in (socket.protocol or socket.family, ends.strip()) if part)
    if not held.holders:
        return Evidence(what=what, text=text)
    first = held.holders[0]
    return Evidence(what=what, pid=first.pid, comm=first.comm, fd=first.fd, text=text)


def of_mount(mount: HostMount, what: str) -> Evidence:
    """A mount of the host's."""
    how = "ro" if mount.read_only else "rw"
    return Evidence(what=what, path=mount.destination, text=f"{mount.source} on {mount.destination} ({how})")


def in_files(hit: Hit) -> bool:
    """Whether bytes lie in a file of the container's rather than in memory or a queue."""
    return hit.place in IN_FILES or hit.place == "ghost"


def distinct(hits: Iterable[Hit]) -> Iterator[Hit]:
    """Each text once for every process, file or other place that has it."""
    seen = set[tuple[str, str, int, str]]()
    for hit in hits:
        pid = hit.processes[0].pid if hit.processes else hit.holders[0].pid if hit.holders else 0
        key = (hit.pattern, hit.match[:200], pid, hit.path if in_files(hit) and hit.path else "")
        if key not in seen:
            seen.add(key)
            yield hit
