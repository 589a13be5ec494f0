"""Until the reader runs, or the reason why it does not (core/v1 PodStatus).

Reasons are those of the kubelet: pkg/kubelet/container/sync_result.go and pkg/kubelet/images/types.go.
"""

from __future__ import annotations

import time
from typing import Any

from cryoscope.engines.collect.errors import CollectError
from cryoscope.kubeapi.client import Client
from cryoscope.kubeapi.errors import KubeError, NotFound, shown

START = 120.0
"""Seconds until a reader must run: most of it is for pulling a small image."""
EVERY = 0.3
IMAGE = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"}
BROKEN = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff"}


def until_running(client: Client, namespace: str, pod: str, *, within: float = START) -> None:
    """Return when the pod runs; raises `CollectError` with the node's own reason."""
    end = time.monotonic() + within
    while True:
        found = _status(client, namespace, pod)
        if _runs(found):
            return
        if time.monotonic() > end:
            raise _late(client, namespace, pod, found)
        time.sleep(EVERY)


def _status(client: Client, namespace: str, pod: str) -> dict[str, Any]:
    try:
        found = client.pod(namespace, pod).get("status")
    except NotFound:
        raise CollectError(
            "the reader was removed while it started",
            hint="somebody or something deletes pods in that namespace",
            code="collect.rejected",
        ) from None
    return found if isinstance(found, dict) else {}


def _runs(status: dict[str, Any]) -> bool:
    """Whether its container runs; raises for what will not get better by waiting."""
    if status.get("phase") in ("Failed", "Succeeded"):
        raise _ended(status)
    for container in _containers(status):
        state = container.get("state") or {}
        if "running" in state:
            return True
        waiting = state.get("waiting") or {}
        _against(str(waiting.get("reason") or ""), str(waiting.get("message") or ""))
    return False


def _containers(status: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in status.get("containerStatuses") or [] if isinstance(each, dict)]


def _against(reason: str, message: str) -> None:
    said = shown(message or reason)
    if reason in IMAGE:
        raise CollectError(
            f"the reader's image does not come: {said}",
            hint="give one that the node can pull or has",
            code="collect.image",
        )
    if reason in BROKEN:
        raise CollectError(
            f"the reader does not start: {said}",
            hint="look at the pod's events, and whether the image has `sleep`",
            code="collect.not-started",
        )


def _ended(status: dict[str, Any]) -> CollectError:
    reason = str(status.get("reason") or "")
    if reason == "DeadlineExceeded":
        return CollectError("the reader ran out of time", hint="try again", code="collect.deadline")
    for container in _containers(status):
        ended = (container.get("state") or {}).get("terminated") or {}
        if ended.get("reason"):
            said = shown(str(ended.get("message") or ended["reason"]))
            return CollectError(
                f"the reader ended at once: {said}",
                hint="its image needs `sleep`, for the node's own kind of processor",
                code="collect.image-tools",
            )
    said = shown(str(status.get("message") or reason or "no reason given"))
    return CollectError(
        f"the node refuses the reader: {said}",
        hint="the node may be full or not ready: kubectl describe node",
        code="collect.rejected",
    )


def _late(client: Client, namespace: str, pod: str, status: dict[str, Any]) -> CollectError:
    if not status.get("startTime"):
        return CollectError(
            "no kubelet took the reader",
            hint="is that the node's name, and is it ready? kubectl get nodes",
            code="collect.not-scheduled",
        )
    return CollectError(
        f"the reader did not start in time{_event(client, namespace, pod)}",
        hint="is the kubelet's --root-dir another one? else look at the pod's events",
        code="collect.not-started",
    )


def _event(client: Client, namespace: str, pod: str) -> str:
    """The last warning about the pod, if events may be read."""
    params = {"fieldSelector": f"involvedObject.name={pod},type=Warning", "limit": "50"}
    try:
        events = client.get(f"/api/v1/namespaces/{namespace}/events", params).get("items") or []
    except KubeError:
        return ""
    said = [str(each.get("message") or "") for each in events if isinstance(each, dict)]
    return f": {shown(said[-1])}" if said else ""
