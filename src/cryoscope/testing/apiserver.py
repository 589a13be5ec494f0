"""An API server for tests: pods and nodes of a model, reviews of access, and the proxy to its kubelets.

    with Kubelet(cluster, "node1") as kubelet, ApiServer(cluster, {"node1": kubelet}) as api:
        ...  # api.url is what a kubeconfig calls server

It answers as Kubernetes 1.36 does, byte for byte but for times and audit ids.  Objects that are posted are
kept in `cluster.objects` by path; what becomes of pods with a checkpoint is in `restores`.
"""

from __future__ import annotations

import ssl
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec

from cryoscope.testing import objects, restores
from cryoscope.testing.cluster import ANONYMOUS, Cluster, User
from cryoscope.testing.kubelet import VERBS, Kubelet
from cryoscope.testing.wire import Reply, Request, Server

PRETTY = ("curl", "Wget", "Mozilla/5.0")
"""Whom the API server indents for (apiserver/pkg/endpoints/handlers/responsewriters)."""
Handler = Callable[[Request], Reply]
NETWORKING = "networking.k8s.io"
LISTS = {"pods": "PodList", "nodes": "NodeList", "networkpolicies": "NetworkPolicyList"}


class ApiServer(Server):
    """`kubelets` are reached by the names of their nodes; `loopback` lets the proxy go to 127.0.0.0/8."""

    def __init__(
        self,
        cluster: Cluster,
        kubelets: dict[str, Kubelet] | None = None,
        *,
        loopback: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.cluster = cluster
        self.kubelets = kubelets or {}
        self.loopback = loopback
        self.calls: list[tuple[str, str]] = []
        self.page: int | None = None
        super().__init__(self.answer, tls=tls, clock=cluster.clock)

    def answer(self, request: Request) -> Reply:
        """The reply to a request that came over the wire."""
        self.calls.append((request.method, request.target))
        reply = self._answered(request)
        reply.headers["Audit-Id"] = str(uuid.uuid4())
        reply.headers["Cache-Control"] = "no-cache, private"
        return reply

    def _answered(self, request: Request) -> Reply:
        user = self.cluster.user(request)
        if user is None:
            return self.status(request, 401, "Unauthorized", "Unauthorized")
        parts = request.path.strip("/").split("/")
        if parts[:3] == ["apis", "authorization.k8s.io", "v1"]:
            return self._review(request, user)
        if len(parts) > 2 and parts[:2] == ["api", "v1"]:
            group, parts = "", parts[2:]
        else:
            group, parts = "/".join(parts[1:2]), parts[3:]
        if group not in ("", NETWORKING) or not parts:
            return self.status(request, 404, "NotFound", "the server could not find the requested resource")
        namespace, rest = (
            (parts[1], parts[2:]) if parts[0] == "namespaces" and len(parts) > 2 else ("", parts)
        )
        refused = self._refused(request, user, namespace, rest, group)
        if refused is not None:
            return refused
        if rest[0] == "nodes" and rest[2:3] == ["proxy"]:
            return self._proxied(request, rest[1], "/" + "/".join(rest[3:]))
        if request.method == "POST" and len(rest) == 1:
            return self._create(request, user, namespace, rest[0] + (f".{group}" if group else ""))
        return self._object(request, namespace, rest)

    # --- who may ------------------------------------------------------------------------------

    def _refused(
        self, request: Request, user: User, namespace: str, rest: list[str], group: str
    ) -> Reply | None:
        resource = "/".join([rest[0], *rest[2:3]])
        verb = VERBS[request.method]
        verb = "list" if verb == "get" and len(rest) == 1 else verb
        if user.may(verb, resource):
            return None
        name = rest[1] if len(rest) > 1 else ""
        kind = rest[0] + (f".{group}" if group else "")
        named = f'{kind} "{name}" is' if name else f"{kind} is"
        where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
        why = ": proxy subresource changed to unsafeproxy" if user.name == ANONYMOUS else ""
        said = f'{named} forbidden: User "{user.name}" cannot {verb} resource "{resource}" '
        said += f'in API group "{group}" {where}{why}'
        reply = self.status(
            request, 403, "Forbidden", said, {"name": name, "kind": rest[0]} if name else {"kind": rest[0]}
        )
        reply.headers["X-Content-Type-Options"] = "nosniff"
        return reply

    def _review(self, request: Request, user: User) -> Reply:
        review = msgspec.json.decode(request.body)
        asked = review["spec"]["resourceAttributes"]
        sub = asked.get("subresource")
        allowed = user.may(asked["verb"], asked["resource"] + (f"/{sub}" if sub else ""))
        return self.json(request, 201, {**review, "status": {"allowed": allowed}})

    # --- objects ------------------------------------------------------------------------------

    def _object(self, request: Request, namespace: str, rest: list[str]) -> Reply:
        path = request.path
        if len(rest) == 1:
            return self._list(request, namespace, rest[0])
        found = self.cluster.objects.get(path) or objects.of(self.cluster, namespace, rest)
        if found is None:
            details = {"name": rest[1], "kind": rest[0]}
            return self.status(request, 404, "NotFound", f'{rest[0]} "{rest[1]}" not found', details)
        if request.method == "DELETE":
            self.cluster.objects.pop(path, None)
        elif rest[0] == "pods" and path in self.cluster.objects:
            # Seen by its kubelet after it was first asked for: pods take a moment to start.
            self.cluster.objects[path] = restores.looked_at(self.cluster, found)
        return self.json(request, 200, found)

    def _create(self, request: Request, user: User, namespace: str, kind: str) -> Reply:
        """Keep a new object, unless `dryRun` was asked, or say why not."""
        made = msgspec.json.decode(request.body)
        name = made["metadata"]["name"]
        path, details = f"{request.path}/{name}", {"name": name, "kind": kind}
        if self.cluster.namespaces is not None and namespace not in self.cluster.namespaces:
            gone = {"name": namespace, "kind": "namespaces"}
            return self.status(request, 404, "NotFound", f'namespaces "{namespace}" not found', gone)
        if path in self.cluster.objects:
            return self.status(request, 409, "AlreadyExists", f'{kind} "{name}" already exists', details)
        if (against := self.cluster.admission(user.name, made)) is not None:
            return self.status(request, 422, "Invalid", f'{kind} "{name}" is forbidden: {against}', details)
        if "dryRun" not in parse_qs(request.query):
            self.cluster.objects[path] = restores.admitted(made) if kind == "pods" else made
        return self.json(request, 201, made)

    def _list(self, request: Request, namespace: str, kind: str) -> Reply:
        query = parse_qs(request.query)
        chosen = query.get("fieldSelector", [""])[0].partition("=")[2]
        every = objects.every(self.cluster, namespace, kind, chosen)
        start = int(query.get("continue", ["0"])[0])
        most = min(int(query.get("limit", ["500"])[0]), self.page or 500)
        more = {"continue": str(start + most)} if start + most < len(every) else {}
        every += [
            found for path, found in self.cluster.objects.items() if path.rpartition("/")[0] == request.path
        ]
        named = LISTS.get(kind, "List")
        page = {"kind": named, "apiVersion": "v1", "metadata": more, "items": every[start : start + most]}
        return self.json(request, 200, page)

    # --- the way to kubelets ------------------------------------------------------------------

    def _proxied(self, request: Request, name: str, path: str) -> Reply:
        node = self.cluster.nodes.get(next(part for part in name.split(":") if part not in ("http", "https")))
        if node is None:
            details = {"name": name, "kind": "nodes"}
            return self.status(request, 404, "NotFound", f'nodes "{name}" not found', details)
        if node.address.startswith("127.") and not self.loopback:
            return self.status(request, 400, "BadRequest", "address not allowed")
        kubelet = self.kubelets.get(node.name)
        if kubelet is None:
            there = f"{node.address}:{node.port}"
            said = f"error trying to reach service: dial tcp {there}: connect: connection refused"
            return self.status(request, 503, "ServiceUnavailable", said)
        inner = Request(
            request.method, path + ("?" + request.query if request.query else ""), {}, request.body
        )
        client = self.cluster.users.get(self.cluster.client) or User(self.cluster.client)
        reply = kubelet.judged(inner, client, self.wait)
        written = dict(reply.written(self.clock()))
        written.pop("Transfer-Encoding", None)
        if "Location" in written:
            written["Location"] = request.raw_path.partition("/proxy/")[0] + "/proxy" + written["Location"]
        return Reply(reply.status, reply.body, written)

    # --- answers ------------------------------------------------------------------------------

    def json(self, request: Request, status: int, document: dict[str, Any]) -> Reply:
        """A JSON answer, indented for those for whom it is."""
        body = msgspec.json.encode(document)
        indented = request.headers.get("user-agent", "").startswith(PRETTY)
        body = msgspec.json.format(body, indent=2) if indented else body + b"\n"
        return Reply(status, body, {"Content-Type": "application/json"})

    def status(
        self, request: Request, code: int, reason: str, message: str, details: dict[str, str] | None = None
    ) -> Reply:
        """A failure as a Status object."""
        document: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
        }
        return self.json(
            request, code, {**document, **({"details": details} if details else {}), "code": code}
        )
