"""Nodes and pods of the model as the API server shows them: the fields that captures read."""

from __future__ import annotations

from typing import Any

from cryoscope.testing.cluster import Cluster, Container, Node, Pod

STATES = {"running": "running", "waiting": "waiting", "ended": "terminated"}
SPECS = {"container": "containers", "init": "initContainers", "ephemeral": "ephemeralContainers"}


def of(cluster: Cluster, namespace: str, rest: list[str]) -> dict[str, Any] | None:
    """The object of `nodes/NAME` or `pods/NAME` in a namespace."""
    if rest[0] == "nodes":
        node = cluster.nodes.get(rest[1])
        return node_object(node) if node else None
    pod = cluster.pod(namespace, rest[1]) if rest[0] == "pods" else None
    return pod_object(cluster, pod) if pod else None


def every(cluster: Cluster, namespace: str, kind: str, node: str) -> list[dict[str, Any]]:
    """All nodes, or the pods of a namespace ("": all) and a node ("": all)."""
    if kind == "nodes":
        return [node_object(each) for each in cluster.nodes.values()]
    return [
        pod_object(cluster, pod)
        for pod in (cluster.pods if kind == "pods" else ())
        if namespace in ("", pod.namespace) and node in ("", pod.node)
    ]


def node_object(node: Node) -> dict[str, Any]:
    """A v1.Node."""
    info = {
        "kernelVersion": node.kernel,
        "containerRuntimeVersion": node.said_runtime,
        "kubeletVersion": node.kubelet,
        "operatingSystem": "linux",
        "architecture": node.architecture,
    }
    ready = {"type": "Ready", "status": "True" if node.ready else "Unknown"}
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {"name": node.name},
        "status": {
            "conditions": [ready],
            "addresses": [
                {"type": "Hostname", "address": node.name},
                {"type": "InternalIP", "address": node.address},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": node.port}},
            "nodeInfo": info,
        },
    }


def pod_object(cluster: Cluster, pod: Pod) -> dict[str, Any]:
    """A v1.Pod."""
    node = cluster.nodes.get(pod.node)
    spec: dict[str, Any] = {"nodeName": pod.node, "volumes": [{"name": name} for name in pod.volumes]}
    status: dict[str, Any] = {"phase": "Running", "hostIP": node.address if node else ""}
    for kind, field in SPECS.items():
        chosen = [each for each in pod.containers if each.kind == kind]
        spec[field] = [_specified(each) for each in chosen]
        singular = field.removesuffix("s")
        status[f"{singular}Statuses"] = [_status(each, node) for each in chosen]
    metadata = {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec, "status": status}


def _specified(container: Container) -> dict[str, Any]:
    probe = {"livenessProbe": {"tcpSocket": {"port": 80}}} if container.probe else {}
    return {"name": container.name, "image": container.image, **probe}


def _status(container: Container, node: Node | None) -> dict[str, Any]:
    known = {"name": container.name, "image": container.image, "state": {STATES[container.state]: {}}}
    if container.state == "waiting" or node is None:
        return known
    return {**known, "containerID": f"{node.runtime}://{container.id}"}
