"""What even a live restore does not take from an archive, and what libpod would get wrong.

The container comes back as it was, with its mounts and networks.  Taken out is what would run or write on the
host by itself: hooks, and annotations that runtimes and CRIU obey.
"""

from __future__ import annotations

from typing import Any

from cryoscope.checkpoint.container.dumps import objects, string_map, take
from cryoscope.engines.podman.documents import Volume

OBEYED = ("run.oci.", "org.criu.", "module.", "io.katacontainers.", "org.systemd.property.")
"""Prefixes of annotations that crun (crun.1.md, ANNOTATIONS), runc and CRIU act upon."""


def spec(document: dict[str, Any], *, volumes: list[Volume], volume_path: str) -> dict[str, Any]:
    """The spec without hooks; named volumes lie where this host keeps them, whatever the old one did."""
    kept = {key: value for key, value in document.items() if key != "hooks"}
    annotations = string_map(take(document, "annotations", kind=dict))
    kept["annotations"] = {key: value for key, value in annotations.items() if not key.startswith(OBEYED)}
    places = {volume.destination: f"{volume_path}/{volume.name}/_data" for volume in volumes}
    kept["mounts"] = [
        {**mount, "source": places[mount["destination"]]} if mount.get("destination") in places else mount
        for mount in objects(document.get("mounts"))
    ]
    return kept
