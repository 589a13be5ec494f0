"""containerd's CRI: config.dump as CRI-O's, status.dump is the CRI status, status its own.

Defined in containerd internal/cri/server/container_checkpoint_linux.go and
internal/cri/store/container/status.go; status.dump in the Kubernetes CRI, ContainerStatus.
"""

from __future__ import annotations

from typing import Any

from cryoscope.checkpoint.container.container import Pod, SpecMount
from cryoscope.checkpoint.container.crio import kubernetes_config
from cryoscope.checkpoint.container.dumps import Dumps, moment_of_ns, objects, string_map, take

NAME = "containerd"
OWN = "io.kubernetes.cri."
STATUS = "status.dump"


def recognise(dumps: Dumps) -> str | None:
    """What tells that containerd wrote the archive."""
    if dumps.annotation(OWN + "container-type") or dumps.annotation(OWN + "sandbox-id"):
        return f"annotations {OWN}* in spec.dump"
    if STATUS in dumps.archive:
        return "status.dump, which only containerd writes"
    if "config.proto" in dumps.archive:
        return "media types application/vnd.containerd.container.* in the image"
    return None


def describe(dumps: Dumps) -> dict[str, Any]:
    """The fields of `Container` that containerd gives."""
    labels = string_map(dumps.take(STATUS, "labels", kind=dict))
    found = kubernetes_config(dumps)
    return found | {
        "id": found["id"] or _native_id(dumps),
        "name": dumps.annotation(OWN + "container-name")
        or dumps.text(STATUS, "metadata", "name")
        or found["name"],
        "image": dumps.annotation(OWN + "image-name")
        or dumps.text(STATUS, "image", "image")
        or found["image"],
        "created": found["created"] or moment_of_ns(dumps.take(STATUS, "created_at", kind=int)),
        "started": moment_of_ns(dumps.take(STATUS, "started_at", kind=int)),
        "pod": _pod(dumps, labels),
        "labels": labels,
        "log_path": dumps.text(STATUS, "log_path"),
        "facts": _facts(dumps),
    }


def host_mounts(dumps: Dumps) -> list[SpecMount]:
    """Where the CRI says that each mount comes from on the node."""
    return [
        SpecMount(
            destination=take(mount, "container_path", kind=str) or "",
            host_path=take(mount, "host_path", kind=str),
            options=["ro"] if take(mount, "readonly", kind=bool) else ["rw"],
        )
        for mount in objects(dumps.take(STATUS, "mounts", kind=list))
    ]


def _native_id(dumps: Dumps) -> str | None:
    """The id of a container that `ctr` made: the end of its cgroup path `/NAMESPACE/ID`."""
    path = dumps.text("spec.dump", "linux", "cgroupsPath") or ""
    return path.rpartition("/")[2] or None


def _pod(dumps: Dumps, labels: dict[str, str]) -> Pod | None:
    pod = Pod(
        name=dumps.annotation(OWN + "sandbox-name") or labels.get("io.kubernetes.pod.name"),
        namespace=dumps.annotation(OWN + "sandbox-namespace") or labels.get("io.kubernetes.pod.namespace"),
        uid=dumps.annotation(OWN + "sandbox-uid") or labels.get("io.kubernetes.pod.uid"),
        sandbox_id=dumps.annotation(OWN + "sandbox-id"),
    )
    return pod if pod != Pod() else None


def _facts(dumps: Dumps) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for key in ("state", "exit_code", "reason", "message", "resources", "user", "annotations", "stop_signal"):
        value = (dumps.take(STATUS, kind=dict) or {}).get(key)
        if value not in (None, "", {}, 0):
            facts[key] = value
    internal = dumps.take("status", kind=dict) or {}
    if isinstance(internal.get("Pid"), int):
        facts["host_pid"] = internal["Pid"]
    mounts = host_mounts(dumps)
    if mounts:
        facts["mounts"] = [
            {"container_path": m.destination, "host_path": m.host_path, "mode": m.options[0]} for m in mounts
        ]
    return facts
