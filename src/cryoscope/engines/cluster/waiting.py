"""Until a restored container goes on, or the reason why it does not (core/v1 PodStatus).

Reasons are those of the kubelet: pkg/kubelet/container/sync_result.go and pkg/kubelet/images/types.go.
"""

from __future__ import annotations

import time
from typing import Any

from cryoscope.engines.cluster.errors import ClusterError, NotReached, of_runtime
from cryoscope.engines.kubelet.places import each, part, word
from cryoscope.kubeapi.client import Client, Object
from cryoscope.kubeapi.errors import KubeError, NotFound, shown

EVERY = 0.5
IMAGE = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
BROKEN = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff"}


def until_running(client: Client, namespace: str, pod: str, *, within: float) -> Object:
    """The pod when its container goes on; raises `ClusterError`."""
    end = time.monotonic() + within
    while True:
        found = _pod(client, namespace, pod)
        if _goes_on(part(found, "status")):
            return found
        if time.monotonic() > end:
            raise _late(client, namespace, pod, found)
        time.sleep(EVERY)


def _pod(client: Client, namespace: str, pod: str) -> Object:
    try:
        return client.pod(namespace, pod)
    except NotFound:
        raise ClusterError(
            "the pod was removed while it started",
            hint="somebody or something deletes pods in that namespace",
            code="restore.rejected",
        ) from None


def _goes_on(status: Any) -> bool:
    """Whether its container runs; raises for what will not get better by waiting."""
    for container in each(status, "containerStatuses"):
        state = part(container, "state")
        if "running" in state:
            return True
        if "terminated" in state:
            raise _ended(part(state, "terminated"))
        _against(word(state, "waiting", "reason"), word(state, "waiting", "message"))
    if word(status, "phase") in ("Failed", "Succeeded"):
        said = shown(word(status, "message") or word(status, "reason") or "no reason given")
        raise ClusterError(
            f"the node refuses the pod: {said}",
            hint="the node may be full or not ready: kubectl describe node",
            code="restore.rejected",
        )
    return False


def _against(reason: str, message: str) -> None:
    if reason in IMAGE:
        raise ClusterError(
            f"the image does not come: {shown(message or reason)}",
            hint="can the node reach that registry? --pull-secret names the credentials for it",
            code="restore.image",
        )
    if reason in BROKEN:
        raise of_runtime(reason, message)


def _ended(state: Any) -> ClusterError:
    """A container that could not be started, or that ended after it went on."""
    reason, message = word(state, "reason"), word(state, "message")
    if reason in ("StartError", "ContainerCannotRun"):
        return of_runtime(reason, message)
    said = f"{shown(reason) or 'no reason'}, exit code {part(state, 'exitCode') or 0}"
    said += f" ({shown(message)})" if message else ""
    return ClusterError(
        f"the container ended as soon as it went on: {said}",
        hint="kubectl logs shows what it wrote; a shorter life than that may be all it had left",
        code="restore.ended",
    )


def _late(client: Client, namespace: str, pod: str, found: Object) -> ClusterError:
    said = _event(client, namespace, pod)
    if not word(found, "status", "startTime"):
        return NotReached(
            f"no kubelet took the pod{said}",
            hint="is that the node's name, and is it ready? kubectl get nodes",
            code="restore.not-taken",
        )
    return NotReached(
        f"the container did not go on in time{said}",
        hint="give a longer --timeout: a large image takes long to come",
    )


def _event(client: Client, namespace: str, pod: str) -> str:
    """The last warning about the pod, if events may be read."""
    params = {"fieldSelector": f"involvedObject.name={pod},type=Warning", "limit": "50"}
    try:
        page = client.get(f"/api/v1/namespaces/{namespace}/events", params)
    except KubeError:
        return ""
    said = [word(event, "message") for event in each(page, "items")]
    return f": {shown(said[-1])}" if said else ""
