"""Archives for containerd: status.dump beside the rest, white-outs in a gzip layer, the image by digest.

containerd internal/cri/server/container_checkpoint_linux.go: status.dump is the CRI's ContainerStatus in
encoding/json's names; `rootfsImageRef` is pulled, so it must be NAME@DIGEST.
"""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec

from cryoscope.checkpoint.checkpoint import Checkpoint
from cryoscope.checkpoint.container.dumps import EPOCH, embedded, objects, string_map, strings, take
from cryoscope.errors import Refused
from cryoscope.images.convert import documents, layers
from cryoscope.images.convert.documents import CONFIG, CONTAINERD, SPEC, STATUS
from cryoscope.images.packed import Changes

CRIO, OWN = "io.kubernetes.cri-o.", "io.kubernetes.cri."
LOGS = {"io.kubernetes.cri-o.LogPath": "container.log"}
MADE = frozenset(
    {
        "/proc",
        "/dev",
        "/dev/pts",
        "/dev/mqueue",
        "/dev/shm",  # noqa: S108 - a mount point
        "/dev/termination-log",
        "/sys",
        "/sys/fs/cgroup",
        "/etc/hosts",
        "/etc/hostname",
        "/etc/resolv.conf",
        "/var/run/secrets/kubernetes.io/serviceaccount",
    }
)
"""Mounts that containerd or a kubelet make in any container."""
RUNNING = 1
"""CONTAINER_RUNNING of the CRI's ContainerState."""


def from_crio(checkpoint: Checkpoint, to: Changes, base: str, stack: contextlib.ExitStack) -> list[str]:
    """An archive by CRI-O with runc; raises `Refused` (`image.convert-runtime`, `image.convert-base`)."""
    documents.demand_runc(checkpoint)
    archive = checkpoint.archive
    config, spec = documents.document(checkpoint, CONFIG), documents.document(checkpoint, SPEC)
    annotations = documents.annotations_of(spec)
    image = base or _by_digest(config, annotations)
    deleted = strings(_json(checkpoint, layers.DELETED))
    to.drop |= {layers.DELETED, layers.DIFF, "bind.mounts"}
    to.rename |= LOGS
    to.replace[CONFIG] = documents.encoded(_config(config, image))
    to.replace[SPEC] = documents.encoded(spec | {"annotations": _annotations(checkpoint, annotations)})
    to.add[STATUS] = documents.encoded(_status(checkpoint, config, annotations, image))
    if layers.DIFF in archive or deleted:
        to.add[layers.DIFF] = layers.layer(archive, deleted, stack)
    return documents.unmade(checkpoint, MADE)


def again(checkpoint: Checkpoint, to: Changes, base: str, stack: contextlib.ExitStack) -> list[str]:
    """An archive of containerd's own, whose image may have no name that can be pulled."""
    config = documents.document(checkpoint, CONFIG)
    reference = take(config, "rootfsImageRef", kind=str) or ""
    if base:
        to.replace[CONFIG] = documents.encoded(config | {"rootfsImageRef": base})
    elif not _pullable(reference):
        raise _nameless(reference)
    return []


def _config(config: dict[str, Any], image: str) -> dict[str, Any]:
    name = take(config, "rootfsImageName", kind=str) or image.partition("@")[0]
    asked = take(config, "rootfsImage", kind=str) or ""
    return config | {
        "name": (take(config, "name", kind=str) or "").removeprefix("k8s_"),
        "rootfsImage": name if _is_id(asked) else asked,
        "rootfsImageRef": image,
        "rootfsImageName": name.partition("@")[0] if "@" in name else name,
        "runtime": CONTAINERD,
    }


def _by_digest(config: dict[str, Any], annotations: dict[str, str]) -> str:
    """The container's image as NAME@DIGEST, as far as CRI-O kept one."""
    kept = annotations.get(CRIO + "ImageRepoDigests", "").replace(",", " ").split()
    for name in (*kept, take(config, "rootfsImageName", kind=str) or ""):
        if _pullable(name):
            return name
    raise _nameless(take(config, "rootfsImageName", kind=str) or "")


def _annotations(checkpoint: Checkpoint, annotations: dict[str, str]) -> dict[str, str]:
    """The specification's: those of CRI-O out, those by which containerd knows a container in."""
    container = checkpoint.container
    pod = container.pod
    own = {
        "container-type": "container",
        "container-name": container.name,
        "image-name": container.image,
        "sandbox-id": pod and pod.sandbox_id,
        "sandbox-name": pod and pod.name,
        "sandbox-namespace": pod and pod.namespace,
        "sandbox-uid": pod and pod.uid,
    }
    return {OWN + key: value for key, value in own.items() if value}


def _status(
    checkpoint: Checkpoint, config: dict[str, Any], annotations: dict[str, str], image: str
) -> dict[str, Any]:
    """The CRI's status of the container, out of what CRI-O keeps in annotations."""
    metadata = embedded(annotations.get(CRIO + "Metadata"))
    volumes = objects(embedded(annotations.get(CRIO + "Volumes")))
    created = _nanoseconds(checkpoint.container.created)
    return {
        "id": checkpoint.container.id,
        "metadata": {
            "name": checkpoint.container.name,
            "attempt": take(metadata, "attempt", kind=int) or 0,
        },
        "state": RUNNING,
        "created_at": created,
        "started_at": created,
        "image": {"image": _config(config, image)["rootfsImageName"]},
        "image_ref": image,
        "labels": string_map(embedded(annotations.get(CRIO + "Labels"))),
        "annotations": string_map(embedded(annotations.get(CRIO + "Annotations"))),
        "mounts": [
            {key: mount[key] for key in ("container_path", "host_path", "readonly") if mount.get(key)}
            for mount in volumes
        ],
        "log_path": annotations.get(CRIO + "LogPath", ""),
    }


def _json(checkpoint: Checkpoint, name: str) -> Any:
    if name not in checkpoint.archive:
        return None
    try:
        return msgspec.json.decode(checkpoint.archive.read(name))
    except (ValueError, RecursionError):
        return None


def _nanoseconds(moment: str | None) -> int:
    from datetime import datetime, timedelta

    if not moment:
        return 0
    return (datetime.fromisoformat(moment) - EPOCH) // timedelta(microseconds=1) * 1000


def _pullable(reference: str) -> bool:
    name, at, digest = reference.partition("@")
    return bool(name and at and digest.startswith("sha256:"))


def _is_id(name: str) -> bool:
    return len(name) == 64 and all(each in "0123456789abcdef" for each in name)


def _nameless(image: str) -> Refused:
    return Refused(
        f"containerd pulls the container's image by digest, and the archive knows it as {image or 'nothing'}",
        hint="push that image to a registry and name it: --base REGISTRY/IMAGE@sha256:...",
        code="image.convert-base",
    )
