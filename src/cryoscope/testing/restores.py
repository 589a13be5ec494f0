"""What becomes of a pod whose image is a checkpoint, as its node's kubelet and runtime report it.

    cluster.images["registry.example/counter:1"] = CheckpointImage("cri-o", mounts=("/scratch",))

containerd 2.1 to 2.4 and CRI-O 1.37 as they were recorded (tests/data/cri); the kubelet's reasons are those
of pkg/kubelet/container/sync_result.go and pkg/kubelet/images/types.go.
"""

from __future__ import annotations

from typing import Any

from cryoscope.testing.cluster import CheckpointImage, Cluster, Node

Object = dict[str, Any]
KUBELETS = {"/etc/hosts", "/dev/termination-log"}
"""Mounts that a kubelet adds by itself."""
ID = "c0ffee" + "0" * 58


def admitted(pod: Object) -> Object:
    """The pod as the API server gives it back at first: not seen by any kubelet."""
    return {**pod, "status": {"phase": "Pending", "qosClass": "Burstable"}}


def looked_at(cluster: Cluster, pod: Object) -> Object:
    """The pod once its kubelet has tried; on no node it stays as it is."""
    node = cluster.nodes.get(pod["spec"].get("nodeName") or next(iter(cluster.nodes), ""))
    if node is None or node.silent:
        return pod
    container = pod["spec"]["containers"][0]
    against = _against(cluster.images.get(container["image"]), node, container)
    state = {"waiting": against} if against else {"running": {"startedAt": "2026-11-22T00:50:00Z"}}
    status = {
        "name": container["name"],
        "state": state,
        "ready": not against,
        "image": container["image"],
        **({} if against else {"containerID": f"{node.runtime}://{ID}"}),
    }
    return {
        **pod,
        "spec": {**pod["spec"], "nodeName": node.name},
        "status": {
            "phase": "Pending" if against else "Running",
            "startTime": "2026-11-22T00:49:59Z",
            "containerStatuses": [status],
        },
    }


def _against(image: CheckpointImage | None, node: Node, container: Object) -> Object | None:
    if image is None:
        return _waiting("ErrImagePull", f'failed to pull image "{container["image"]}": not found')
    said = node.fault or (_containerd if node.runtime == "containerd" else _crio)(image, node, container)
    return _waiting("CreateContainerError", said) if said else None


def _containerd(image: CheckpointImage, node: Node, container: Object) -> str | None:
    if node.version.startswith(("2.0.", "2.4.")):
        return "no command specified"
    if image.engine != "containerd":
        gone = "open /tmp/checkpoint2857110936/status.dump: no such file or directory"
        return f'failed to read "status.dump": {gone}'
    if image.base.startswith("sha256:"):
        return (
            f'failed to pull checkpoint base image {image.base}: failed to resolve reference "{image.base}": '
            f'parse "dummy://{image.base}": invalid port ":{image.base.partition(":")[2]}" after host'
        )
    return None


def _crio(image: CheckpointImage, node: Node, container: Object) -> str | None:
    if image.engine != "cri-o":
        return 'failed to read "io.kubernetes.cri-o.Annotations": unexpected end of JSON input'
    declared = {each["mountPath"] for each in container.get("volumeMounts", [])} | KUBELETS
    missing = [path for path in image.mounts if path not in declared]
    if missing:
        return f'restoring "{container["image"]}" expects following bind mounts defined ({",".join(missing)})'
    return None


def _waiting(reason: str, message: str) -> Object:
    return {"reason": reason, "message": message}


__all__ = ["CheckpointImage", "admitted", "looked_at"]
