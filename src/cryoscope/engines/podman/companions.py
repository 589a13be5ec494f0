"""What Podman saves next to an archive: `containers`, `images`, `events`, `generate/kube`."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import quote

from cryoscope.engines.beside import Beside, unframed
from cryoscope.engines.podman.client import Client
from cryoscope.engines.podman.connection import blocks
from cryoscope.engines.podman.download import BLOCK
from cryoscope.engines.podman.engine import Podman
from cryoscope.engines.port import Container

SILENCE = 120.0
"""Seconds between two bytes: an image is packed before its first one comes."""
EVENTS_SINCE = 86_400
"""Seconds of events, back from now."""


def companions(engine: Podman, container: Container, wanted: Collection[str]) -> Iterator[Beside]:
    """The files of `wanted` kinds; each is asked for when its bytes are read."""
    client, where = engine.client, f"/containers/{quote(container.id, safe='')}"
    since = str(int(time.time()) - EVENTS_SINCE)
    about = json.dumps({"container": [container.id]})
    logs = {"stdout": "true", "stderr": "true", "timestamps": "true"}
    events = {"stream": "false", "since": since, "filters": about}
    offered = {
        "inspect": ("inspect.json", f"{where}/json", {}),
        "logs": ("container.log", f"{where}/logs", logs),
        "events": ("events.jsonl", "/events", events),
        "pod": ("pod.yaml", "/generate/kube", {"names": container.id}),
    }
    for kind, (name, path, parameters) in offered.items():
        if kind in wanted:
            read = _read(client, path, parameters)
            yield Beside(kind, name, unframed(read) if kind == "logs" else read, _source(engine, path))
    if "image" in wanted:
        yield Beside("image", "image.tar", _image(engine, container), _source(engine, "/images/…/get"))


def _source(engine: Podman, path: str) -> str:
    return f"GET {path} of podman on {engine.socket}"


def _read(client: Client, path: str, parameters: Mapping[str, str]) -> Iterator[bytes]:
    with client.stream("GET", path, parameters, timeout=SILENCE) as response:
        yield from blocks(response, BLOCK)


def _image(engine: Podman, container: Container) -> Iterator[bytes]:
    """The container's image as `podman save --format oci-archive` gives it."""
    image = engine.client.get(f"/containers/{quote(container.id, safe='')}/json", dict).get("Image", "")
    path = f"/images/{quote(str(image), safe='')}/get"
    yield from _read(engine.client, path, {"format": "oci-archive"})
