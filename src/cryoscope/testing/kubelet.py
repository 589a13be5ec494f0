"""A kubelet's checkpoint API for tests: real HTTP, and the words of Kubernetes 1.36.

    cluster = Cluster()
    cluster.add(Node("node1"), Pod("default", "web", "node1", [Container("web")]))
    with Kubelet(cluster, "node1") as kubelet:
        ...  # POST kubelet.url + "/checkpoint/default/web/web"

It answers as recorded kubelets did, byte for byte but for times.  With `folder` (taken for the node's root)
and `archive` (a checkpoint's tar) it writes archives where it says that it did; `truncate` cuts them there.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs

import msgspec

from cryoscope.testing import runtimes
from cryoscope.testing.cluster import ANONYMOUS, Cluster, Container, Node, Pod, User
from cryoscope.testing.wire import PLAIN, Reply, Request, Server

Wait = Callable[[float], None]
VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
SUBRESOURCES = {"checkpoint": "checkpoint", "pods": "pods proxy", "metrics": "metrics", "logs": "log"}


class Kubelet(Server):
    """The kubelet of a node of `cluster`; `calls` has the path of every checkpoint that was asked."""

    def __init__(
        self,
        cluster: Cluster,
        node: str,
        *,
        folder: Path | None = None,
        archive: Path | None = None,
        truncate: int | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.cluster = cluster
        self.node: Node = cluster.nodes[node]
        self.folder = folder
        self.archive = archive
        self.truncate = truncate
        self.calls: list[str] = []
        super().__init__(self.answer, tls=tls, clock=cluster.clock)

    def answer(self, request: Request) -> Reply:
        """The reply to a request that came over the wire."""
        return self.judged(request, self.cluster.user(request), self.wait)

    def judged(self, request: Request, user: User | None, wait: Wait) -> Reply:
        """The reply to `user`; the API server's proxy asks here, too, and waits itself."""
        parts = request.path.split("/")[1:]
        # The routes of checkpoints are not there without the gate, and so not guarded.
        if parts[:1] not in (["checkpoint"], ["pods"]) or (parts[0] == "checkpoint" and not self.node.gate):
            return _missing()
        refused = self._refused(request, user, parts[0])
        if refused is not None:
            return refused
        if request.path == "/checkpoint":
            return Reply(307, headers={"Location": "/checkpoint/"})
        return _pods() if parts[0] == "pods" else self._checkpoint(request, [*filter(None, parts[1:])], wait)

    def _refused(self, request: Request, user: User | None, first: str) -> Reply | None:
        if user is None or (user.name == ANONYMOUS and not self.node.anonymous):
            return _text(401, "Unauthorized")
        verb = VERBS.get(request.method, "")
        words = SUBRESOURCES.get(first, "proxy")
        if any(user.may(verb, f"nodes/{word}") for word in words.split()):
            return None
        return _text(
            403, f"Forbidden (user={user.name}, verb={verb}, resource=nodes, subresource(s)=[{words}])\n"
        )

    def _checkpoint(self, request: Request, parts: list[str], wait: Wait) -> Reply:
        if len(parts) != 3:
            return _text(404, "404: Page Not Found")
        if request.method != "POST":
            return _text(405, "405: Method Not Allowed", Allow="POST")
        self.calls.append(request.target)
        pod = self.cluster.pod(parts[0], parts[1], self.node.name)
        if pod is None:
            return _text(404, "pod does not exist")
        container = next((each for each in pod.containers if each.name == parts[2]), None)
        if container is None:
            return _text(404, f"container {parts[2]} does not exist")
        try:
            timeout = int(parse_qs(request.query).get("timeout", ["0"])[-1])
        except ValueError:
            return _text(404, "cannot parse value of timeout parameter")
        return self._run(pod, container, timeout, wait)

    def _run(self, pod: Pod, container: Container, timeout: int, wait: Wait) -> Reply:
        node = self.node
        path = self._path(pod, container)
        if node.silent:
            wait(3600)
        wait(node.late)
        if node.hangs:
            # Whatever the caller's timeout: the kubelet's own list of pods comes first, and hangs as well.
            wait(node.request_timeout)
        failure = runtimes.failure(node, container, timeout, path, self.cluster.clock())
        if failure is not None:
            if node.disk_full:
                self._write(path, 65536)
            return _text(
                500, f"checkpointing of {pod.namespace}/{pod.name}/{container.name} failed ({failure})"
            )
        self._write(path, self.truncate)
        body = node.answer if node.answer is not None else msgspec.json.encode({"items": [path]})
        return Reply(200, body, {"Content-Type": "application/json"})

    def _path(self, pod: Pod, container: Container) -> str:
        now = self.node.pinned if self.node.pinned is not None else self.cluster.clock()
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return (
            f"{self.node.root}/checkpoints/checkpoint-{pod.name}_{pod.namespace}-{container.name}-{stamp}.tar"
        )

    def _write(self, path: str, most: int | None) -> None:
        if self.folder is None or self.archive is None:
            return
        place = Path(str(self.folder) + path)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Neither O_EXCL nor O_TRUNC, as the runtimes do it: a second capture goes over the first.
        file = os.open(place, os.O_RDWR | os.O_CREAT, 0o600)
        os.write(file, self.archive.read_bytes()[:most])
        os.close(file)


def _text(status: int, body: str, **headers: str) -> Reply:
    return Reply(status, body.encode(), headers)


def _missing() -> Reply:
    return Reply(404, b"404 page not found\n", {"Content-Type": PLAIN, "X-Content-Type-Options": "nosniff"})


def _pods() -> Reply:
    return Reply(
        200, b'{"kind":"PodList","apiVersion":"v1","items":[]}\n', {"Content-Type": "application/json"}
    )
