"""What Docker saves next to an archive: ContainerInspect, ContainerLogs, SystemEvents, ImageGet."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator
from urllib.parse import quote

import msgspec

from cryoscope.engines.beside import Beside, unframed
from cryoscope.engines.docker.daemon import Daemon
from cryoscope.engines.docker.engine import Docker
from cryoscope.engines.port import Container

SILENCE = 120.0
"""Seconds between two bytes: an image is packed before its first one comes."""
EVENTS_SINCE = 86_400
"""Seconds of events, back from now."""


def companions(engine: Docker, container: Container, wanted: Collection[str]) -> Iterator[Beside]:
    """The files of `wanted` kinds; each is asked for when its bytes are read."""
    daemon = engine._daemon  # noqa: SLF001 - the engine's own package
    where = f"/containers/{quote(container.id, safe='')}"
    now = time.time()
    about = json.dumps({"container": [container.id]})
    events = {"since": f"{now - EVENTS_SINCE:.0f}", "until": f"{now:.9f}", "filters": about}
    logs = {"stdout": "1", "stderr": "1", "timestamps": "1"}
    offered = {
        "inspect": ("inspect.json", f"{where}/json", {}),
        "logs": ("container.log", f"{where}/logs", logs),
        "events": ("events.jsonl", "/events", events),
    }
    for kind, (name, path, query) in offered.items():
        if kind in wanted:
            read = _read(daemon, path, query)
            yield Beside(kind, name, unframed(read) if kind == "logs" else read, _source(daemon, path))
    if "image" in wanted:
        yield Beside("image", "image.tar", _image(daemon, where), _source(daemon, "/images/…/get"))


def _source(daemon: Daemon, path: str) -> str:
    return f"GET {path} of docker on {daemon.shown}"


def _read(daemon: Daemon, path: str, query: dict[str, str]) -> Iterator[bytes]:
    with daemon.stream(path, patience=SILENCE, **query) as blocks:
        yield from blocks


def _image(daemon: Daemon, where: str) -> Iterator[bytes]:
    """The container's image as `docker save` gives it."""
    image = msgspec.convert(daemon.ask("GET", f"{where}/json"), dict).get("Image", "")
    yield from _read(daemon, f"/images/{quote(str(image), safe=':')}/get", {})
