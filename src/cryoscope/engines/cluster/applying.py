"""Documents made in the cluster in their order, the pod last; undone where its container does not go on."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from cryoscope.engines.cluster.errors import ClusterRefused, NotReached, of_making
from cryoscope.engines.cluster.waiting import EVERY, until_running
from cryoscope.engines.kubelet.places import ID, each, word
from cryoscope.engines.port import Restored
from cryoscope.kubeapi.client import Client, Object
from cryoscope.kubeapi.errors import KubeError, NotFound, TimedOut

RESOURCES = {
    "Pod": "/api/v1/namespaces/{}/pods",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
}
GOING = 30.0
"""Seconds that a pod may take to end before its policy is left where it is."""
DRY = {"dryRun": "All"}
"""The API server checks an object and all policies for it, and keeps nothing."""


def apply(
    client: Client,
    documents: Sequence[dict[str, Any]],
    *,
    timeout: float,
    sandbox: Sequence[str],
    say: Callable[[str], None],
) -> Restored:
    """Make them, and wait for the pod; raises `ClusterError` and leaves nothing, but what it says."""
    started = time.monotonic()
    pod, made = documents[-1], Made(client, say)
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    try:
        for document in documents:
            made.add(document)
        found = until_running(client, namespace, name, within=timeout)
    except NotReached:  # it may still come: whoever looks finds it
        raise
    except BaseException:
        made.undo()
        raise
    container = pod["spec"]["containers"][0]["name"]
    return Restored(
        engine="k8s",
        id=_id(found),
        name=name,
        target=f"k8s://{namespace}/{name}/{container}",
        live=not sandbox,
        sandbox=[*sandbox],
        notes=_notes(found),
        remove=removing(documents),
        seconds=round(time.monotonic() - started, 3),
    )


def check(client: Client, documents: Sequence[dict[str, Any]]) -> None:
    """Have the API server look at them, and make nothing; raises `ClusterError`."""
    for document in documents:
        _make(client, document, DRY)


def removing(documents: Sequence[dict[str, Any]]) -> str:
    """The command that takes them away."""
    kinds = ",".join(document["kind"].lower() for document in reversed(documents))
    metadata = documents[-1]["metadata"]
    return f"kubectl delete {kinds} -n {metadata['namespace']} {metadata['name']}"


class Made:
    """What was made so far, or may have been: an answer can be lost on its way."""

    def __init__(self, client: Client, say: Callable[[str], None]) -> None:
        self.client = client
        self.say = say
        self.documents: list[dict[str, Any]] = []

    def add(self, document: dict[str, Any]) -> None:
        """Make one more; raises `ClusterError`."""
        self.documents.append(document)
        try:
            _make(self.client, document)
        except ClusterRefused:
            self.documents.pop()  # nothing was made: one of that name is somebody else's
            raise

    def undo(self) -> None:
        """Remove it in the other direction: a policy goes when its pod is gone, and not before."""
        for number in reversed(range(len(self.documents))):
            try:
                self._gone(self.documents[number])
            except KubeError as error:
                command = removing(self.documents[: number + 1])
                self.say(f"what was made could not be removed ({error.message}): {command}")
                return

    def _gone(self, document: dict[str, Any]) -> None:
        path = f"{_path(document)}/{quote(document['metadata']['name'], safe='')}"
        end = time.monotonic() + GOING
        with contextlib.suppress(NotFound):
            self.client.delete(path)
            while document["kind"] == "Pod":
                self.client.get(path)
                if time.monotonic() > end:
                    raise TimedOut("the pod is still there")
                time.sleep(EVERY)


def _make(client: Client, document: dict[str, Any], params: dict[str, str] | None = None) -> Object:
    metadata = document["metadata"]
    try:
        return client.post(_path(document), document, params)
    except KubeError as error:
        raise of_making(error, document["kind"], metadata["name"], metadata["namespace"]) from None


def _path(document: dict[str, Any]) -> str:
    return RESOURCES[document["kind"]].format(quote(document["metadata"]["namespace"], safe=""))


def _id(pod: Object) -> str:
    for status in each(pod, "status", "containerStatuses"):
        if found := ID.match(word(status, "containerID")):
            return found[1]
    return ""


def _notes(pod: Object) -> list[str]:
    node = word(pod, "spec", "nodeName")
    return [f"on node {node}"] if node else []
