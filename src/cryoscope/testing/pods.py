"""The part of an API server that collecting needs: pods that come and go, settings, reviews of rights, exec.

`Pods` holds what is there and answers; `serve` puts it on a port of this machine, and another double may pass
requests on to it.  A pod's container is a process on this machine, started when a command is run in it, and
its host paths are folders of the test: no isolation at all, so run nothing in it but your own commands.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryoscope.testing import commands
from cryoscope.testing.commands import Wire

Object = dict[str, Any]
Rights = Callable[[str, Object], bool]
"""Whether a user may: verb, resource, subresource, namespace, name, as a SubjectAccessReview has them."""
Admission = Callable[[str, str, Object], str | None]
"""Why an object is not let in (user, operation, object); None if it is."""

RUNS, NO_IMAGE, NOT_TAKEN, REFUSED, STUCK = "runs", "no-image", "not-taken", "refused", "stuck"
"""What becomes of a new pod."""
STATUSES: Mapping[str, Object] = {
    RUNS: {"phase": "Running", "startTime": "t", "containerStatuses": [{"state": {"running": {}}}]},
    NO_IMAGE: {
        "phase": "Pending",
        "startTime": "t",
        "containerStatuses": [
            {
                "state": {
                    "waiting": {"reason": "ErrImagePull", "message": 'failed to pull image "x": not found'}
                }
            }
        ],
    },
    NOT_TAKEN: {"phase": "Pending"},
    REFUSED: {
        "phase": "Failed",
        "reason": "OutOfmemory",
        "message": "Pod was rejected: Node didn't have enough resource: memory",
    },
    STUCK: {
        "phase": "Pending",
        "startTime": "t",
        "containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}],
    },
}
STARTING = STATUSES[STUCK]


class Pods:
    """An API server's pods, for tests: set its attributes to make it fail.

    `folders` are this machine's folders by the node's and its own name of them; `fate` is what becomes of new
    pods, `wire` what the network makes of their streams; `seen` are requests as "VERB RESOURCE".
    """

    def __init__(
        self,
        folders: Mapping[tuple[str, str], str],
        *,
        settings: Mapping[str, str] | None = None,
        rights: Rights = lambda _user, _attributes: True,
        admission: Admission = lambda _user, _operation, _object: None,
        namespaces: tuple[str, ...] = ("cryoscope",),
    ) -> None:
        self.folders = dict(folders)
        self.settings = None if settings is None else dict(settings)
        self.rights = rights
        self.admission = admission
        self.namespaces = namespaces
        self.users: dict[str, str] = {}
        self.nodes: list[Object] = []
        self.there: dict[tuple[str, str], Object] = {}
        self.made: list[Object] = []
        self.events: list[str] = []
        self.seen: list[str] = []
        self.fate = RUNS
        self.wire: Wire = commands.whole
        self.lock = threading.Lock()

    def user(self, authorization: str | None) -> str:
        """Whose bearer token that is; "admin" without one."""
        token = (authorization or "").removeprefix("Bearer ")
        return self.users.get(token, "admin" if not token else "system:anonymous")

    def answer(self, user: str, verb: str, path: str, query: Mapping[str, list[str]], body: Object) -> Any:
        """Status and object for a request (verb in RBAC's words); None if it is about something else."""
        asked = _asked(verb, path)
        if asked is None:
            return None
        with self.lock:
            self.seen.append(f"{asked['verb']} {_resource(asked)}")
            if asked["resource"] == "selfsubjectaccessreviews":
                return 201, self._review(user, body)
            if not self.rights(user, asked):
                return 403, _forbidden(user, asked)
            return self._object(user, asked, body)

    def _review(self, user: str, body: Object) -> Object:
        attributes = body["spec"]["resourceAttributes"]
        return {**body, "status": {"allowed": self.rights(user, attributes)}}

    def _object(self, user: str, asked: Object, body: Object) -> tuple[int, Object]:
        namespace, name, kind = asked.get("namespace", ""), asked.get("name", ""), asked["resource"]
        if kind == "nodes":
            found = [node for node in self.nodes if name in ("", node["metadata"]["name"])]
            return (
                (200, found[0] if name else {"items": found}) if found or not name else _gone("nodes", name)
            )
        if namespace not in self.namespaces and asked["verb"] == "create":
            return _gone("namespaces", namespace)
        if kind == "configmaps":
            return _gone(kind, name) if self.settings is None else (200, {"data": self.settings})
        if kind == "events":
            return 200, {"items": [{"message": message} for message in self.events]}
        return self._pod(user, asked, body)

    def _pod(self, user: str, asked: Object, body: Object) -> tuple[int, Object]:
        key = (asked.get("namespace", ""), asked.get("name", ""))
        if asked["verb"] == "list":
            return 200, {"items": [pod for (space, _), pod in self.there.items() if key[0] in ("", space)]}
        if asked["verb"] == "create":
            return self._create(user, body)
        if key not in self.there:
            return _gone("pods", key[1])
        if asked["verb"] == "delete":
            return 200, self.there.pop(key)
        pod = self.there[key]
        answer = {**pod}
        if any(made["metadata"]["name"] == key[1] for made in self.made):
            pod["status"] = dict(STATUSES[self.fate])  # for the next time: pods take a moment to start
        return 200, answer

    def _create(self, user: str, body: Object) -> tuple[int, Object]:
        name = body["metadata"]["name"]
        against = self.admission(user, "CREATE", body)
        if against is not None:
            message = f'pods "{name}" is forbidden: {against}'
            return 422, _status(422, "Invalid", message)
        self.made.append(body)
        fresh = STARTING if self.fate != NOT_TAKEN else STATUSES[NOT_TAKEN]
        self.there[body["metadata"]["namespace"], name] = {**body, "status": dict(fresh)}
        return 201, body

    # --- exec ---------------------------------------------------------------------------------

    def may_enter(self, user: str, path: str, query: Mapping[str, list[str]]) -> tuple[int, Object] | None:
        """Why a command is not run in a pod, as status and object; None if it may be."""
        asked = _asked("get", path)
        if asked is None:
            return _gone("pods", path)
        self.seen.append("exec pods")
        for verb in ("get", "create"):  # since 1.35 both are asked for
            if not self.rights(user, {**asked, "verb": verb}):
                return 403, _forbidden(user, {**asked, "verb": verb})
        against = self.admission(user, "CONNECT", {"command": query.get("command", [])})
        if against is not None:
            return 403, _status(403, "Forbidden", f'pods "{asked["name"]}" is forbidden: {against}')
        key = (asked["namespace"], asked["name"])
        return None if key in self.there else _gone("pods", asked["name"])

    def enter(self, connection: socket.socket, path: str, query: Mapping[str, list[str]]) -> None:
        """Run a command in a pod, with its host paths replaced by the folders they stand for."""
        asked = _asked("get", path) or {}
        pod = self.there[asked["namespace"], asked["name"]]
        commands.run(connection, [self._mapped(part, pod) for part in query["command"]], self.wire)

    def _mapped(self, part: str, pod: Object) -> str:
        spec = pod["spec"]
        host = {each["name"]: each["hostPath"]["path"] for each in spec["volumes"]}
        for mount in spec["containers"][0]["volumeMounts"]:
            part = part.replace(mount["mountPath"], self.folders[spec["nodeName"], host[mount["name"]]])
        return part


def _asked(verb: str, path: str) -> Object | None:
    """The attributes of a path of the API, as a SubjectAccessReview has them; None if not known."""
    parts = [part for part in path.split("/") if part]
    rest = parts[2:] if parts[:1] == ["api"] else parts[3:]
    asked: Object = {"verb": verb}
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        asked["namespace"], rest = rest[1], rest[2:]
    known = ("pods", "configmaps", "events", "nodes", "selfsubjectaccessreviews")
    if not rest or rest[0] not in known or rest[2:] not in ([], ["exec"]):
        return None
    asked.update(zip(("resource", "name", "subresource"), rest, strict=False))
    if verb == "get" and len(rest) == 1:
        asked["verb"] = "list"
    return asked


def _resource(asked: Object) -> str:
    return "/".join(filter(None, (asked["resource"], asked.get("subresource"))))


def _status(code: int, reason: str, message: str) -> Object:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


def _forbidden(user: str, asked: Object) -> Object:
    where = f'in the namespace "{asked["namespace"]}"' if asked.get("namespace") else "at the cluster scope"
    name = f' "{asked["name"]}"' if asked.get("name") else ""
    message = (
        f'{asked["resource"]}{name} is forbidden: User "{user}" cannot {asked["verb"]} resource '
        f'"{_resource(asked)}" in API group "" {where}'
    )
    return _status(403, "Forbidden", message)


def _gone(kind: str, name: str) -> tuple[int, Object]:
    return 404, _status(404, "NotFound", f'{kind} "{name}" not found')


VERBS = {"GET": "get", "POST": "create", "DELETE": "delete"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    pods: Pods

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""

    def do_GET(self) -> None:
        if "Sec-WebSocket-Key" in self.headers:
            self._upgrade()
        else:
            self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else {}
        user = self.pods.user(self.headers.get("Authorization"))
        answer = self.pods.answer(user, VERBS[self.command], url.path, parse_qs(url.query), body)
        self._send(*(answer or _gone("paths", url.path)))

    def _send(self, status: int, document: Object) -> None:
        content = json.dumps(document).encode("utf-8")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _upgrade(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        user = self.pods.user(self.headers.get("Authorization"))
        against = self.pods.may_enter(user, url.path, query)
        headers = commands.accept(self.headers)  # type: ignore[arg-type]
        if against is not None or headers is None:
            return self._send(*(against or (400, _status(400, "BadRequest", "unable to upgrade"))))
        self.send_response_only(101)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()
        self.pods.enter(self.connection, url.path, query)
        self.close_connection = True
        return None


@contextlib.contextmanager
def serve(pods: Pods) -> Iterator[str]:
    """The address of a server of these pods, http, on this machine; gone afterwards."""
    handler = type("Handler", (_Handler,), {"pods": pods})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def kubeconfig(address: str, *, namespace: str = "default", token: str | None = None) -> str:
    """A kubeconfig for that server, as text (JSON, which YAML contains)."""
    user = {"token": token} if token else {}
    context = {"cluster": "test", "user": "test", "namespace": namespace}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": address}}],
            "contexts": [{"name": "test", "context": context}],
            "users": [{"name": "test", "user": user}],
        }
    )
