"""CRI-O: the annotations of spec.dump hold what CRI-O knows of container and pod.

Defined in cri-o internal/annotations and internal/factory/container; config.dump in
checkpointctl lib/metadata.go.
"""

from __future__ import annotations

from typing import Any

from cryoscope.checkpoint.container.container import Pod
from cryoscope.checkpoint.container.dumps import Dumps, embedded, moment, string_map, take

NAME = "cri-o"
CONFIG = "config.dump"
OWN = "io.kubernetes.cri-o."
JSON_VALUED = ("Annotations", "Labels", "Metadata", "Volumes")


def recognise(dumps: Dumps) -> str | None:
    """What tells that CRI-O wrote the archive."""
    if dumps.annotation("io.container.manager") == "cri-o":
        return "annotation io.container.manager is cri-o in spec.dump"
    if dumps.annotation(OWN + "ContainerID"):
        return f"annotation {OWN}ContainerID in spec.dump"
    return None


def describe(dumps: Dumps) -> dict[str, Any]:
    """The fields of `Container` that CRI-O gives."""
    labels = string_map(embedded(dumps.annotation(OWN + "Labels")))
    metadata = embedded(dumps.annotation(OWN + "Metadata"))
    return kubernetes_config(dumps) | {
        "name": take(metadata, "name", kind=str)
        or labels.get("io.kubernetes.container.name")
        or dumps.text(CONFIG, "name"),
        "image": dumps.annotation(OWN + "ImageName") or dumps.text(CONFIG, "rootfsImageName"),
        "pod": Pod(
            name=_pod(dumps, labels, "name"),
            namespace=_pod(dumps, labels, "namespace"),
            uid=_pod(dumps, labels, "uid"),
            sandbox_id=dumps.annotation(OWN + "SandboxID"),
        ),
        "ips": _ips(dumps),
        "labels": labels,
        "log_path": dumps.annotation(OWN + "LogPath"),
        "facts": _facts(dumps),
    }


def kubernetes_config(dumps: Dumps) -> dict[str, Any]:
    """The fields of config.dump as CRI-O and containerd write it."""
    return {
        "id": dumps.text(CONFIG, "id"),
        "name": dumps.text(CONFIG, "name"),
        "image": dumps.text(CONFIG, "rootfsImageName") or dumps.text(CONFIG, "rootfsImage"),
        "image_id": dumps.text(CONFIG, "rootfsImageRef"),
        "runtime": dumps.text(CONFIG, "runtime"),
        "created": moment(dumps.text(CONFIG, "createdTime")),
        "checkpointed": moment(dumps.text(CONFIG, "checkpointedTime")),
        "restored": dumps.take(CONFIG, "restored", kind=bool),
    }


def _pod(dumps: Dumps, labels: dict[str, str], field: str) -> str | None:
    return labels.get(f"io.kubernetes.pod.{field}") or dumps.annotation(f"io.kubernetes.pod.{field}")


def _ips(dumps: Dumps) -> list[str]:
    annotations = string_map(dumps.take("spec.dump", "annotations", kind=dict))
    return [value for key, value in sorted(annotations.items()) if key.startswith(OWN + "IP.") and value]


def _facts(dumps: Dumps) -> dict[str, Any]:
    """CRI-O's own annotations without their prefix, those that hold JSON decoded."""
    annotations = string_map(dumps.take("spec.dump", "annotations", kind=dict))
    facts: dict[str, Any] = {}
    for key, value in sorted(annotations.items()):
        if key.startswith(OWN):
            name = key.removeprefix(OWN)
            facts[name] = (embedded(value) if name in JSON_VALUED else None) or value
    return facts
