"""The pod and the container that a checkpoint goes on in, as the CRI asks for them: written for the user.

Of the archive there is only what a restore cannot do without: where mounts were, and whether there was a tty.
"""

from __future__ import annotations

import os
from typing import Any

from cryoscope.engines.host import Host
from cryoscope.engines.port import Record, RestoreOptions

NAMESPACE = "cryoscope"
LOGS = "/var/log/pods"
POD, CONTAINER = 0, 1
"""`NamespaceMode`: of the pod, of the container alone.  CRIU restores only pid namespaces of their own."""
PERIOD = 100_000
"""Microseconds of which `cpu_quota` is the part that may be used."""
LONGEST = 63
"""A host name (RFC 1123)."""
UNIFIED = "/sys/fs/cgroup/cgroup.controllers"
"""There on machines with cgroup v2 alone."""
KEPT = ("cpu_period", "cpu_quota", "cpu_shares", "memory_limit_in_bytes")
"""Limits of the original that a container that is restored live gets again."""


class Plan(Record, frozen=True, kw_only=True):
    """A container to be: `mounts` as the CRI has them, `limits` what it may use."""

    uid: str
    image: str
    tty: bool = False
    mounts: list[dict[str, Any]] = []
    limits: dict[str, Any] = {}


def security() -> dict[str, Any]:
    return {
        "namespace_options": {"network": POD, "pid": CONTAINER, "ipc": POD},
        "seccomp": {"profile_type": 0},
        "privileged": False,
    }


def pod(options: RestoreOptions, uid: str) -> dict[str, Any]:
    """`PodSandboxConfig`: a network of its own, nothing privileged."""
    name = options.pod or options.name
    return {
        "metadata": {"name": name, "uid": uid, "namespace": NAMESPACE},
        "hostname": name[:LONGEST].strip("-._") or NAMESPACE,
        "log_directory": f"{LOGS}/{NAMESPACE}_{name}_{uid}",
        "labels": labels(options, uid),
        "linux": {"security_context": security()},
    }


def labels(options: RestoreOptions, uid: str) -> dict[str, str]:
    return {
        "io.kubernetes.pod.name": options.pod or options.name,
        "io.kubernetes.pod.namespace": NAMESPACE,
        "io.kubernetes.pod.uid": uid,
    }


def container(options: RestoreOptions, plan: Plan) -> dict[str, Any]:
    """`ContainerConfig`: its image is the archive."""
    return {
        "metadata": {"name": options.name},
        "image": {"image": plan.image, "user_specified_image": plan.image},
        "labels": labels(options, plan.uid) | {"io.kubernetes.container.name": options.name},
        "annotations": {"io.kubernetes.container.restartCount": "0"},
        "mounts": plan.mounts,
        "log_path": f"{options.name}.log",
        "tty": plan.tty,
        "stdin": plan.tty,
        "linux": {"resources": plan.limits, "security_context": security()},
    }


def sandbox_limits(host: Host, options: RestoreOptions) -> dict[str, Any]:
    """`LinuxContainerResources` of a sandbox."""
    found: dict[str, Any] = {
        "memory_limit_in_bytes": options.memory,
        "memory_swap_limit_in_bytes": options.memory,
        "cpu_period": PERIOD,
        "cpu_quota": max(int(options.cpus * PERIOD), 1000),
    }
    if counts_processes(host):
        found["unified"] = {"pids.max": str(options.processes)}
    return found


def counts_processes(host: Host) -> bool:
    """Whether the CRI can bound the number of processes: it has a word for it in cgroup v2 only."""
    return os.path.exists(host.path(UNIFIED))


def own_limits(facts: dict[str, Any]) -> dict[str, Any]:
    """The limits that containerd wrote beside the checkpoint."""
    resources = facts.get("resources")
    linux = resources.get("linux") if isinstance(resources, dict) else None
    if not isinstance(linux, dict):
        return {}
    return {key: linux[key] for key in KEPT if isinstance(linux.get(key), int) and 0 < linux[key] < 1 << 62}
