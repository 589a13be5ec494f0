"""The reader: a pod on one node that sees the folder of archives, read-only, and does nothing by itself.

deploy/admission/reader-pods.yaml lets in pods of this form and no others; a test holds one against the other.
A bare pod, not a Job: a Job's pod is made by a controller: neither a refusal nor its maker would show.
"""

from __future__ import annotations

import secrets
from typing import Any

import msgspec

CONTAINER = "reader"
MOUNT = "/checkpoints"
NAME = "app.kubernetes.io/name"
COMPONENT = "app.kubernetes.io/component"
LABELS = {NAME: "cryoscope", COMPONENT: "reader"}
SELECTOR = ",".join(f"{key}={value}" for key, value in LABELS.items())
DEADLINE = 3600
"""Seconds after which the node ends a reader whose maker was killed: 100 GiB at 30 MB/s."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader is made of: `namespace` it lives in, `image`, the node's `folder`, SELinux type or ""."""

    namespace: str
    image: str
    folder: str
    selinux: str = ""
    deadline: int = DEADLINE


def name() -> str:
    """A new pod's name; chosen here, so that it can be removed even if the answer to its making was lost."""
    return "cryoscope-reader-" + secrets.token_hex(5)


def manifest(named: str, node: str, settings: Settings) -> dict[str, Any]:
    """The pod as the API takes it (core/v1 Pod)."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": named, "namespace": settings.namespace, "labels": LABELS},
        "spec": {
            # Not through the scheduler: a node under suspicion is often cordoned.
            "nodeName": node,
            "tolerations": [{"operator": "Exists"}],
            "restartPolicy": "Never",
            "activeDeadlineSeconds": settings.deadline,
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                # The folder is 0700 and the files 0600, of root: its owner reads them without a capability.
                "runAsUser": 0,
                "runAsGroup": 0,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [_container(settings)],
            "volumes": [
                {"name": "checkpoints", "hostPath": {"path": settings.folder, "type": "Directory"}},
            ],
        },
    }


def _container(settings: Settings) -> dict[str, Any]:
    return {
        "name": CONTAINER,
        "image": settings.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", str(settings.deadline)],
        "securityContext": {
            "privileged": False,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            **({"seLinuxOptions": {"type": settings.selinux}} if settings.selinux else {}),
        },
        "resources": {
            "requests": {"cpu": "10m", "memory": "16Mi"},
            "limits": {"memory": "128Mi"},
        },
        "volumeMounts": [{"name": "checkpoints", "mountPath": MOUNT, "readOnly": True}],
    }
