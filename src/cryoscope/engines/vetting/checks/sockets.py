"""Sockets in the images that lead to the host: unix sockets with a name outside, raw and packet sockets."""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.checkpoint.process.files import File
from cryoscope.checkpoint.process.sockets import unix_name
from cryoscope.engines.port import HARD, NOTE
from cryoscope.engines.vetting.case import Case, shown
from cryoscope.engines.vetting.checks.check import Check
from cryoscope.engines.vetting.checks.mounts import climbs
from cryoscope.engines.vetting.records import Found
from cryoscope.text import readable

EXTERNAL, SERVICE, INHERITED = 1, 2, 8
"""unix_sk_entry.uflags (criu/sk-unix.c): connected to the host, to CRIU's caller, given by it."""

ENGINES = (
    "docker.sock",
    "containerd.sock",
    "crio.sock",
    "podman.sock",
    "kubelet.sock",
    "dbus/system_bus_socket",
)


def look(case: Case) -> Iterator[Found]:
    """Every socket that anybody has open."""
    for file in case.checkpoint.files:
        where = f"{case.prefix}files.img file {file.id}"
        if file.type == "UNIXSK":
            yield from _unix(case, file, where)
        elif file.type == "PACKETSK":
            yield case.found("criu.socket-packet", "sees all packets of its network", where, weight=NOTE)


def _unix(case: Case, file: File, where: str) -> Iterator[Found]:
    entry = file.entry
    name = unix_name(bytes(entry.name)) or ""
    folder = readable(bytes(entry.name_dir))
    if entry.uflags & (EXTERNAL | SERVICE | INHERITED):
        yield case.found(
            "criu.socket-external", f"is connected to {shown(name or 'a socket')} of the host", where
        )
    elif climbs(name) or climbs(folder):
        yield case.found(
            "criu.socket-outside", f"{shown(name)} leads out of the container", where, weight=HARD
        )
    elif name.endswith(ENGINES):
        yield case.found(
            "criu.socket-engine", f"has the name of an engine's: {shown(name)}", where, weight=NOTE
        )


CHECK = Check("sockets in CRIU's images", look)
