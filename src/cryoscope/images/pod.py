"""The pod in which a checkpoint image goes on, and the policy that keeps it from every network.

    https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
    https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/

A runtime that finds a checkpoint in the image restores it in place of starting a program: the container has
its old name and no command.  Nothing of the old pod comes along: no labels, so that no Service sends it
anything, no account, no node's folders.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from cryoscope.images import pod_security
from cryoscope.images.annotations import ARCHITECTURES
from cryoscope.images.pod_mounts import (
    CLAIM,
    CONFIG_MAP,
    EMPTY,
    FILE,
    MESSAGES,
    SECRET,
    PodMount,
    message_path,
)

if TYPE_CHECKING:
    from cryoscope.checkpoint.checkpoint import Checkpoint

NAME, COMPONENT, INSTANCE = (f"app.kubernetes.io/{word}" for word in ("name", "component", "instance"))
RESTORED = "restored"
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
"""Names of pods, namespaces and containers: RFC 1123 labels."""
DIGEST = re.compile(r"@sha256:[0-9a-f]{64}\Z")
SCRATCH = "1Gi"
"""What an empty folder of a sandbox may hold."""
NOTHING = "metadata.annotations['empty']"
"""An annotation that is not there: a file of it is empty (downwardAPI)."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a pod is made of: `image` is the checkpoint's, `node` "" for any; sizes in bytes."""

    name: str
    namespace: str
    image: str
    node: str = ""
    live: bool = False
    mounts: list[PodMount] = []
    memory: int = 2 << 30
    cpus: float = 1.0
    pull_secret: str = ""


def documents(checkpoint: Checkpoint, wish: Wish) -> list[dict[str, Any]]:
    """All that is to be created, in that order."""
    return [*([] if wish.live else [network_policy(wish)]), pod(checkpoint, wish)]


def labels(name: str) -> dict[str, str]:
    """Labels of a restored pod, which are none that it had."""
    return {NAME: "cryoscope", COMPONENT: RESTORED, INSTANCE: name}


def network_policy(wish: Wish) -> dict[str, Any]:
    """Nothing in, nothing out (networking.k8s.io/v1 NetworkPolicy)."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": wish.name, "namespace": wish.namespace, "labels": labels(wish.name)},
        "spec": {
            "podSelector": {"matchLabels": labels(wish.name)},
            "policyTypes": ["Ingress", "Egress"],
        },
    }


def pod(checkpoint: Checkpoint, wish: Wish) -> dict[str, Any]:
    """The pod (core/v1 Pod)."""
    had = pod_security.was(checkpoint)
    spec: dict[str, Any] = {
        **_where(checkpoint, wish),
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        **_hostname(checkpoint),
        **({"securityContext": {"supplementalGroups": had.groups}} if had.groups else {}),
        **({"imagePullSecrets": [{"name": wish.pull_secret}]} if wish.pull_secret else {}),
        "containers": [_container(checkpoint, wish, had)],
    }
    if wish.mounts:
        spec["volumes"] = [_volume(number, each, wish) for number, each in enumerate(wish.mounts)]
    metadata = {"name": wish.name, "namespace": wish.namespace, "labels": labels(wish.name)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _where(checkpoint: Checkpoint, wish: Wish) -> dict[str, Any]:
    """A node goes past the scheduler: nodes for restores alone are often cordoned."""
    if wish.node:
        return {"nodeName": wish.node}
    machine = ARCHITECTURES.get(checkpoint.machine)
    return {
        "nodeSelector": {
            "kubernetes.io/os": "linux",
            **({"kubernetes.io/arch": machine} if machine else {}),
        }
    }


def _hostname(checkpoint: Checkpoint) -> dict[str, str]:
    told = checkpoint.container.hostname or (checkpoint.container.pod and checkpoint.container.pod.name) or ""
    return {"hostname": told} if LABEL.match(told) else {}


def _container(checkpoint: Checkpoint, wish: Wish, had: pod_security.Was) -> dict[str, Any]:
    container = checkpoint.container
    terminal = container.process is not None and container.process.terminal
    messages = message_path(checkpoint)
    return {
        "name": container.name or "",
        "image": wish.image,
        # A tag may name another image by now; a digest cannot.
        "imagePullPolicy": "IfNotPresent" if DIGEST.search(wish.image) else "Always",
        **({"stdin": True, "tty": True} if terminal else {}),
        **({"terminationMessagePath": messages} if messages != MESSAGES else {}),
        "securityContext": pod_security.security_context(had, container.engine, live=wish.live),
        "resources": pod_security.resources(
            had,
            checkpoint.overview.memory_size or 0,
            memory=wish.memory,
            cpus=wish.cpus,
            live=wish.live,
        ),
        **({"volumeMounts": [_mount(*each) for each in enumerate(wish.mounts)]} if wish.mounts else {}),
    }


def _mount(number: int, mount: PodMount) -> dict[str, Any]:
    key = "empty" if mount.kind == FILE else mount.key
    return {
        "name": f"mount-{number}",
        "mountPath": mount.path,
        **({"subPath": key} if key else {}),
        **({"readOnly": True} if mount.readonly else {}),
    }


def _volume(number: int, mount: PodMount, wish: Wish) -> dict[str, Any]:
    return {"name": f"mount-{number}", **_source(mount, wish)}


def _source(mount: PodMount, wish: Wish) -> dict[str, Any]:
    if mount.kind == EMPTY:
        return {"emptyDir": {} if wish.live else {"sizeLimit": SCRATCH}}
    if mount.kind == FILE:
        return {"downwardAPI": {"items": [{"path": "empty", "fieldRef": {"fieldPath": NOTHING}}]}}
    if mount.kind == CLAIM:
        return {"persistentVolumeClaim": {"claimName": mount.name, "readOnly": mount.readonly}}
    return {
        CONFIG_MAP: {"configMap": {"name": mount.name}},
        SECRET: {"secret": {"secretName": mount.name}},
    }[mount.kind]
