"""What lies in a container's volumes, through the daemon's archive API, as `volumes/NAME.tar`.

Podman writes them so, and the readers take them from there.  Binds of the host's folders are not copied: what
lies there belongs to the host.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from cryoscope.engines.docker.daemon import Daemon
from cryoscope.engines.docker.places import NAME
from cryoscope.engines.docker.tars import UNREADABLE, Writer, members
from cryoscope.engines.port import EngineError
from cryoscope.text import escape, readable


def volumes(inspect: Any) -> Iterator[tuple[str, str]]:
    """Name and place of each volume, none twice."""
    seen = set()
    for mount in inspect.get("Mounts") or []:
        name, place = mount.get("Name"), mount.get("Destination")
        if mount.get("Type") != "volume" or not isinstance(name, str) or not isinstance(place, str):
            continue
        if NAME.match(name) and name not in seen:
            seen.add(name)
            yield name, place


def binds(inspect: Any) -> Iterator[tuple[str, str]]:
    """Source on the host and place of each bind mount."""
    for mount in inspect.get("Mounts") or []:
        if mount.get("Type") == "bind":
            yield str(mount.get("Source")), str(mount.get("Destination"))


def fetch_volume(daemon: Daemon, id_: str, place: str, inner: list[str], out: BinaryIO) -> list[str]:
    """Write the files of the volume mounted at `place`, without what is mounted below it; gives remarks."""
    writer, broken = Writer(out), 0
    try:
        with members(daemon, id_, place, patience=600) as found:
            for member, opened in found:
                name = member.name.strip("/").partition("/")[2]
                path = f"{place.rstrip('/')}/{name}"
                if any(path.startswith(at + "/") for at in inner if at != place):
                    continue
                if member.islnk():
                    member.linkname = member.linkname.strip("/").partition("/")[2]
                content = opened(member) if member.isreg() else None
                broken += not writer.add(member, name or "./", content)
    except (*UNREADABLE, EngineError) as error:
        writer.end()
        return [f"the volume at {escape(readable(place))} could not be read to its end: {error}"]
    writer.end()
    return [f"{broken} files of the volume at {place} changed while they were read"] if broken else []
