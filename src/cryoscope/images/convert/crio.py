"""Archives for CRI-O: what it knows of a container in annotations, a plain tar, a list of deleted files.

cri-o server/container_restore.go (what is read: config.dump, spec.dump, the annotation
`io.kubernetes.cri-o.Annotations`), internal/annotations, internal/lib/restore.go.
"""

from __future__ import annotations

import contextlib
from typing import Any

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.container.dumps import objects, string_map, take
from cryoscope.errors import Refused
from cryoscope.images.convert import documents, layers
from cryoscope.images.convert.documents import CONFIG, SPEC, STATUS
from cryoscope.images.packed import Changes

OWN, CONTAINERD = "io.kubernetes.cri-o.", "io.kubernetes.cri."
LOGS = {"container.log": "io.kubernetes.cri-o.LogPath"}
IGNORED = frozenset(
    {
        "/proc",
        "/dev",
        "/dev/pts",
        "/dev/mqueue",
        "/sys",
        "/sys/fs/cgroup",
        "/dev/shm",  # noqa: S108 - a mount point
        "/etc/resolv.conf",
        "/etc/hostname",
        "/etc/passwd",
        "/etc/group",
        "/run/secrets",
        "/run/.containerenv",
        "/etc/hosts",
        "/dev/termination-log",
        "/var/run/secrets/kubernetes.io/serviceaccount",
    }
)
"""Mounts that CRI-O does not ask for (container_restore.go), and those that a kubelet always gives."""


def from_containerd(checkpoint: Checkpoint, to: Changes, base: str, stack: contextlib.ExitStack) -> list[str]:
    """An archive by containerd with runc.

    Raises `Refused` (`image.convert-runtime`, `image.convert-opaque`, `image.convert-document`).
    """
    documents.demand_runc(checkpoint)
    config, spec = documents.document(checkpoint, CONFIG), documents.document(checkpoint, SPEC)
    status = documents.document(checkpoint, STATUS)
    if not take(status, "metadata", "name", kind=str):
        raise _nameless()
    image = base or take(config, "rootfsImageName", kind=str) or take(config, "rootfsImage", kind=str) or ""
    to.drop |= {STATUS, "status", layers.DIFF}
    to.rename |= LOGS
    to.replace[CONFIG] = documents.encoded(_config(checkpoint, config, image))
    to.replace[SPEC] = documents.encoded(
        spec | {"annotations": _annotations(checkpoint, spec, status, image)}
    )
    if layers.DIFF in checkpoint.archive:
        diff, deleted = layers.plain(checkpoint.archive, stack)
        to.add[layers.DIFF] = diff
        to.add[layers.DELETED] = documents.encoded(deleted)
    note = f"the node must be able to pull {image}, or have it"
    return [note, *documents.unmade(checkpoint, IGNORED)]


def _config(checkpoint: Checkpoint, config: dict[str, Any], image: str) -> dict[str, Any]:
    name = take(config, "name", kind=str) or checkpoint.container.name or ""
    return config | {
        "name": name if name.startswith("k8s_") else f"k8s_{name}",
        "rootfsImageName": image,
        "rootfsImageRef": (take(config, "rootfsImageRef", kind=str) or "").rpartition("sha256:")[2],
        "runtime": "runc",
    }


def _annotations(
    checkpoint: Checkpoint, spec: dict[str, Any], status: dict[str, Any], image: str
) -> dict[str, str]:
    """The specification's: those of containerd out, those by which CRI-O knows a container in."""
    container, labels = checkpoint.container, string_map(status.get("labels"))
    pod = container.pod
    attempt = take(status, "metadata", "attempt", kind=int) or 0
    inner = string_map(status.get("annotations"))
    own = {
        "Annotations": documents.text(inner),
        "ContainerID": container.id,
        "ContainerType": "container",
        "Created": container.created,
        "Image": image,
        "ImageName": image,
        "ImageRef": take(status, "image_ref", kind=str),
        "ImageRepoDigests": take(status, "image_ref", kind=str),
        "Labels": documents.text(labels),
        "LogPath": container.log_path,
        "Metadata": documents.text({"name": container.name, "attempt": attempt}),
        "SandboxID": pod and pod.sandbox_id,
        "Stdin": "false",
        "StdinOnce": "false",
        "TTY": "false",
        "Volumes": documents.text(_volumes(status)),
    }
    kept = documents.annotations_of(spec)
    others = {key: value for key, value in kept.items() if not key.startswith(CONTAINERD)}
    ours = {OWN + key: value for key, value in own.items() if value}
    return others | inner | labels | {"io.container.manager": "cri-o"} | ours


def _volumes(status: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "container_path": take(mount, "container_path", kind=str) or "",
            "host_path": take(mount, "host_path", kind=str) or "",
            "readonly": take(mount, "readonly", kind=bool) or False,
        }
        for mount in objects(status.get("mounts"))
    ]


def _nameless() -> Refused:
    return Refused(
        "status.dump does not say what the container is called",
        hint="take the checkpoint through the CRI (kubelet, crictl): ctr keeps no pod",
        code="image.convert-document",
    )
