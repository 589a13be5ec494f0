"""containerd in a node, driven through the Container Runtime Interface as a kubelet does.

Every workload has a pod of its own.  Images come from the node's registry: a checkpoint names the image by
digest then, and a restore can pull it.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.engines import cri_client as cri
from lab.engines import cri_pause
from lab.engines.freezer import thawing
from lab.engines.port import CRIU_OPTIONS, RUNC_CONF, Refused, Running, wait_for_word
from lab.engines.registry import ADDRESS, Registry
from lab.node import Node
from lab.workloads import IMAGES, Workload

SOCKET = "/run/containerd/containerd.sock"
CONFIG = "/etc/containerd/config.toml"
LOGS, LOG = "/var/log/pods", "0.log"
CHECKPOINTS = "/var/lib/lab/containerd"
PAUSE = "/var/lib/lab/pause.tar"
CNI = "/etc/cni/net.d/10-lab.conflist"
NETWORK = {
    "cniVersion": "1.0.0",
    "name": "lab",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "cni-lab",
            "isGateway": True,
            "isDefaultGateway": True,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.88.77.0/24"}]]},
        }
    ],
}
"""A bridge in the node that pods are plugged into (CNI, SPEC.md; plugins bridge and host-local)."""
SETTINGS = f"""version = 3
[grpc]
address = "{SOCKET}"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "{ADDRESS}/pause:lab"
[plugins.'io.containerd.cri.v1.runtime']
enable_cdi = false
restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["/usr/lib/cni"]
conf_dir = "{os.path.dirname(CNI)}"
"""
"""A sandbox's score is not lowered: that takes CAP_SYS_RESOURCE, which a container or CI job may lack."""
DEFAULT_SECCOMP = {"profile_type": 0}
BY_POD = frozenset({"user-namespace"})
"""Needs that are a pod's to meet and that not every machine has."""
UNRESOLVED = "failed to resolve image"
"""What a containerd says that takes the path of an archive for an image's name."""


@dataclass(frozen=True)
class _Pod:
    """A pod sandbox: its id, and what it was made from, which every container in it is created with."""

    id: str
    config: dict[str, Any]


class Containerd:
    """containerd in a node; its images are pulled when a workload asks for them."""

    name = "containerd"

    def __init__(self, node: Node, registry: Registry) -> None:
        self.node = node
        self.registry = registry
        self._numbers = itertools.count(1)
        self._images: dict[str, str] = {}
        self._pods: dict[str, _Pod] = {}
        self._prepare()
        node.service("containerd", "-c", CONFIG, ready=node.outside(SOCKET).exists)
        self.cri = cri.Cri(node, SOCKET)
        node.services[-2].wait(self.cri.answers)

    def _prepare(self) -> None:
        """What must lie in the node before the daemon starts."""
        network = json.dumps(NETWORK)
        files = {RUNC_CONF: CRIU_OPTIONS, CONFIG: SETTINGS, CNI: network, f"{CHECKPOINTS}/README": ""}
        for path, text in files.items():
            self.node.outside(path).parent.mkdir(parents=True, exist_ok=True)
            self.node.outside(path).write_text(text)
        busybox = self.node.outside("/usr/bin/busybox")
        cri_pause.write(self.node.outside(PAUSE), busybox, os.uname().machine)
        self.registry.push(PAUSE, "pause:lab")

    def start(self, workload: Workload) -> Running:
        """Run a workload and wait until it has printed its word; raises `Refused` or `LabError`."""
        image = self._image(workload.image)
        pod = self._pod(workload)
        environment = cri.texts(dict(workload.environment))
        config = _config(workload, image) | {"command": list(workload.argv), "envs": environment}
        return wait_for_word(self, self._run(workload, pod, self.cri.create(pod.id, config, pod.config)))

    def restore(self, archive: Path, workload: Workload) -> Running:
        """Let a checkpoint of a workload go on in a pod of its own.

        Raises `Refused` if this containerd takes no checkpoint for an image, `LabError` if it does not go on.
        """
        inside = f"{CHECKPOINTS}/restored-{next(self._numbers)}.tar"
        shutil.copyfile(archive, self.node.outside(inside))
        return self.create(inside, workload)

    def create(self, image: str, workload: Workload) -> Running:
        """Create a container of a workload without its command, from an image that was pulled or an archive.

        Raises as `restore` does.
        """
        pod = self._pod(workload)
        try:
            container = self.cri.create(pod.id, _config(workload, image), pod.config)
        except cri.CallFailed as error:
            self.cri.remove_pod(pod.id)
            if UNRESOLVED in error.said:
                raise Refused(f"this containerd restores nothing: {error.said}") from None
            raise
        return self._run(workload, pod, container)

    def log(self, running: Running) -> str:
        """What the workload printed so far, on both streams."""
        log = self.node.outside(f"{self._pods[running.id].config['log_directory']}/{LOG}")
        # A line is a time, the stream, F or P for a line that is whole or goes on, and the text.
        rows = (row.split(" ", 3) for row in log.read_text(errors="replace").splitlines())
        return "".join(row[3] + ("\n" if row[2] == "F" else "") for row in rows if len(row) > 3)

    def checkpoint(self, running: Running) -> Path:
        """Checkpoint it and leave it running; returns the archive, a plain tar."""
        inside = f"{CHECKPOINTS}/{running.workload.name}-{next(self._numbers)}.tar"
        with thawing(running.pid):
            self.cri.checkpoint(running.id, inside)
        return self.node.outside(inside)

    def address(self, running: Running) -> str:
        """Where another workload reaches it: its pod's address on the bridge."""
        return self.cri.pod_address(self._pods[running.id].id)

    def remove(self, running: Running) -> None:
        """End it and take it away with its pod; its checkpoints stay."""
        self.cri.remove(running.id)
        self.cri.remove_pod(self._pods.pop(running.id).id)

    def _image(self, name: str) -> str:
        """The name of an image that is pulled, by digest."""
        if name not in self._images:
            image = IMAGES[name]
            self._images[name] = self.registry.push(image.archive, image.reference.partition("/")[2])
            self.cri.pull(self._images[name])
        return self._images[name]

    def _pod(self, workload: Workload) -> _Pod:
        """A pod for a workload; raises `Refused` with the engine's words if it has not what that needs."""
        config = _pod_config(workload, f"{workload.name}-{next(self._numbers)}")
        try:
            return _Pod(self.cri.run_pod(config), config)
        except cri.CallFailed as error:
            if workload.needs & BY_POD:
                raise Refused(f"containerd: {error.said}") from None
            raise

    def _run(self, workload: Workload, pod: _Pod, container: str) -> Running:
        """Start a container that was created."""
        try:
            self.cri.start(container)
        except cri.CallFailed:
            self.cri.remove_pod(pod.id)
            raise
        self._pods[container] = pod
        _, more = self.cri.status(container)
        return Running(container, self.node.pid_outside(more["pid"]), workload)


def _pod_config(workload: Workload, name: str) -> dict[str, Any]:
    uid = str(uuid.uuid4())
    metadata = {"name": name, "namespace": "lab", "uid": uid}
    labels = {f"io.kubernetes.pod.{key}": value for key, value in metadata.items()}
    return {
        "metadata": metadata,
        "log_directory": f"{LOGS}/lab_{name}_{uid}/{workload.name}",
        "labels": cri.texts(labels),
        "linux": {"security_context": _security(workload)},
    }


def _config(workload: Workload, image: str) -> dict[str, Any]:
    return {
        "metadata": {"name": workload.name},
        "image": {"image": image, "user_specified_image": image},
        "labels": cri.texts({"io.kubernetes.container.name": workload.name}),
        "annotations": cri.texts({"io.kubernetes.container.restartCount": "0"}),
        "log_path": LOG,
        "linux": {"security_context": _security(workload)},
    }


def _security(workload: Workload) -> dict[str, Any]:
    """Namespaces: the pod's network, as a kubelet has it; CRIU restores only pid namespaces of their own."""
    spaces: dict[str, Any] = {"network": cri.POD, "pid": cri.CONTAINER}
    if "user-namespace" in workload.needs:
        ids = {"host_id": 0, "container_id": 0, "length": 65536}
        spaces["userns_options"] = {"mode": cri.POD, "uids": ids, "gids": ids}
    return {"namespace_options": spaces, "seccomp": DEFAULT_SECCOMP}
