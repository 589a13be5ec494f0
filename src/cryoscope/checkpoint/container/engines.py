"""The engines, in the order in which they are asked whether an archive is theirs."""

from __future__ import annotations

from typing import Any

from cryoscope.checkpoint.container import bare, containerd, crio, docker, podman
from cryoscope.checkpoint.container.container import Container
from cryoscope.checkpoint.container.dumps import Dumps, moment_of_ns
from cryoscope.checkpoint.container.spec import common
from cryoscope.errors import CryoscopeError

ENGINES = (podman, crio, containerd, docker, bare)
"""One module an engine; the last one takes what nobody claims."""


def describe(dumps: Dumps, *, images_prefix: str) -> Container:
    """The container of an archive, by the first engine that recognises it."""
    for engine in ENGINES:
        try:
            evidence = engine.recognise(dumps)
        except CryoscopeError:
            continue
        if evidence is not None:
            fields = common(dumps) | _known(engine.describe(dumps))
            if dumps.archive.annotations:
                fields["image_annotations"] = dict(dumps.archive.annotations)
            if not fields.get("checkpointed"):
                fields |= _time_of_images(dumps, images_prefix)
            return Container(engine=engine.NAME, engine_evidence=evidence, **fields)
    return Container(engine=bare.NAME, engine_evidence="nothing could be read")


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _time_of_images(dumps: Dumps, prefix: str) -> dict[str, Any]:
    """The moment the inventory was written, which CRIU does last of all images."""
    member = dumps.archive.members.get(prefix + "inventory.img")
    moment = moment_of_ns(member.mtime_ns) if member is not None else None
    return {"checkpointed": moment, "checkpointed_from": "time of inventory.img"} if moment else {}
