"""What the engine wrote of the container's life: created, started, ended, checkpointed, restored.

config.dump: libpod's ContainerConfig (Podman), checkpointctl's lib/metadata.go (CRI-O, containerd), RFC 3339;
status.dump: the CRI's ContainerStatus, nanoseconds; containerd's own status repeats it.  Annotations: those
of OCI images (`org.opencontainers.image.created`), CRI-O's and the kubelet's.  Go's zero time is no time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cryoscope.checkpoint.container import Dumps
from cryoscope.checkpoint.container.dumps import GO_ZERO_TIME
from cryoscope.examine.timeline.asked import Asked
from cryoscope.examine.timeline.moments import parse
from cryoscope.examine.timeline.records import Event, Moment

SOURCE = "container"

KINDS = {
    "createdTime": "container created",
    "startedTime": "container started",
    "finishedTime": "container ended",
    "checkpointedTime": "checkpoint taken",
    "restoredTime": "container restored",
    "created_at": "container created",
    "started_at": "container started",
    "finished_at": "container ended",
    "CreatedAt": "container created",
    "StartedAt": "container started",
    "FinishedAt": "container ended",
}
IMAGE = "org.opencontainers.image.created"
ANNOTATIONS = {
    IMAGE: "image created",
    "io.kubernetes.cri-o.Created": "container created",
    "kubernetes.io/config.seen": "pod configuration seen",
}
FILES = ("config.dump", "status.dump", "status")


def look(asked: Asked) -> Iterator[Event]:
    """The times of the engine's files and of annotations, each meaning once if the moments are the same."""
    seen: set[tuple[str, int]] = set()
    for moment, kind, member, text in _times(asked):
        if moment is not None and (kind, moment.ns) not in seen:
            seen.add((kind, moment.ns))
            yield from asked.event(moment, SOURCE, kind, text, member=member)
    container = asked.checkpoint.container
    if container.checkpointed_from and not any(kind == "checkpoint taken" for kind, _ in seen):
        text = f"{_name(asked)}, by the {container.checkpointed_from}"
        yield from asked.event(asked.moment, SOURCE, "checkpoint taken", text)


def _times(asked: Asked) -> Iterator[tuple[Moment | None, str, str | None, str]]:
    checkpoint, name = asked.checkpoint, _name(asked)
    dumps = Dumps(checkpoint.archive, [])  # what is damaged in them the checkpoint has told already
    for member in FILES:
        for field, value in (dumps.take(member, kind=dict) or {}).items():
            if field in KINDS:
                yield _moment(value), KINDS[field], member, f"{name} ({member}, {field})"
    for key, kind in ANNOTATIONS.items():
        value = checkpoint.container.annotations.get(key)
        yield _moment(value), kind, "spec.dump", f"{name} (annotation {key})"
    value = checkpoint.container.image_annotations.get(IMAGE)
    yield _moment(value), "checkpoint image created", None, f"{name} (annotation {IMAGE})"


def _name(asked: Asked) -> str:
    container = asked.checkpoint.container
    return container.name or (container.id or "")[:12] or "container"


def _moment(value: Any) -> Moment | None:
    if isinstance(value, bool) or not value:
        return None
    if isinstance(value, int):
        return Moment(value)
    return parse(value) if isinstance(value, str) and not value.startswith(GO_ZERO_TIME) else None
