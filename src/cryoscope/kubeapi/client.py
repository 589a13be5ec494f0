"""The few requests that captures need: objects as plain dicts, bounded, a page at a time.

`connect()` finds cluster and credentials as kubectl does.  Errors are `KubeError`s with stable codes.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from cryoscope import limits
from cryoscope.kubeapi import config, credentials, streams, tls
from cryoscope.kubeapi.errors import BadAnswer, BadConfig, asked, of_answer, shown
from cryoscope.kubeapi.http import Answer, Wire, is_loopback

Object = dict[str, Any]


class Allowed(msgspec.Struct, frozen=True):
    """The API server's word on a right: `reason` is its own."""

    yes: bool
    reason: str = ""

    def __bool__(self) -> bool:
        return self.yes


def connect(
    kubeconfig: str | None = None,
    context: str | None = None,
    *,
    token_file: str | None = None,
    certificate: str | None = None,
    key: str | None = None,
    authority: str | None = None,
    insecure: bool = False,
) -> Client:
    """A client of the context; options replace the context's credentials, `authority` adds to its own.

    `insecure` skips the check of a server only where no authority is known.  Nothing is sent yet, but the
    context's plugin is run.  Raises `BadConfig` (`k8s.cleartext` for a token without TLS),
    `ContextUnknown`, `PluginFailed`.
    """
    choice = config.choose(kubeconfig, context)
    identity = credentials.of_files(token_file, certificate, key) or credentials.of_choice(choice)
    server = str(choice.cluster.get("server") or "")
    if urlsplit(server).scheme not in ("http", "https"):
        raise BadConfig(
            f"{shown(server) or 'nothing'} is no address of an API server", hint="https://HOST:PORT"
        )
    _not_in_the_clear(server, identity)
    found = tls.context(choice.cluster, identity.certificate, authority=authority, insecure=insecure)
    return Client(choice, identity, server, found)


def _not_in_the_clear(server: str, identity: credentials.Identity) -> None:
    """Refuse to send a token or password without TLS, but to this machine."""
    url = urlsplit(server)
    secret = identity.token is not None or identity.login is not None
    if secret and url.scheme == "http" and not is_loopback(url.hostname or ""):
        raise BadConfig(
            f"{shown(server)} has no TLS: everybody on the way would see the credentials",
            hint="give the server's https:// address in the kubeconfig",
            code="k8s.cleartext",
        )


class Client:
    """An API server, as one identity; close it, or use it in `with`."""

    def __init__(
        self,
        choice: config.Choice,
        identity: credentials.Identity,
        server: str,
        context: ssl.SSLContext,
    ) -> None:
        self.choice = choice
        self.identity = identity
        self.namespace = choice.namespace
        self.context = choice.context
        self.server = server
        self.wire = Wire(
            server,
            context=context,
            auth=identity.auth(),
            proxy=choice.cluster.get("proxy-url") or None,
            server_name=choice.cluster.get("tls-server-name") or None,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self.wire.close()

    # --- requests -----------------------------------------------------------------------------

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Object | None = None,
        timeout: float = 30.0,
        most: int = limits.KUBE_ANSWER,
    ) -> Answer:
        """The answer whatever its status; raises only what connections do."""
        content = msgspec.json.encode(body) if body is not None else None
        return self.wire.request(method, path, params=params, content=content, timeout=timeout, most=most)

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Object:
        """The object of a path; raises `NotFound`, `Forbidden`, `Unauthorized`, …"""
        return self._object("GET", path, params=params)

    def post(self, path: str, body: Object, params: Mapping[str, str] | None = None) -> Object:
        """Create; the object as it is then.  Raises `Exists`, `Invalid` and what `get` raises."""
        return self._object("POST", path, body=body, params=params)

    def delete(
        self, path: str, body: Object | None = None, params: Mapping[str, str] | None = None
    ) -> Object:
        """Delete; raises what `get` raises."""
        return self._object("DELETE", path, body=body, params=params)

    def _object(self, method: str, path: str, **more: Any) -> Object:
        answer = self.request(method, path, **more)
        if answer.status >= 300:
            raise of_answer(answer, asked(method, path))
        try:
            found = msgspec.json.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise BadAnswer(
                f"the API server's answer to {asked(method, path)} is no object",
                hint="whoever answers there is no API server",
            )
        return found

    @contextmanager
    def stream(
        self, path: str, params: Mapping[str, str] | None = None, *, timeout: float = 60.0
    ) -> Iterator[Iterator[bytes]]:
        """The body as it comes, block by block: logs; `timeout` is between blocks, size is the reader's."""
        with self.wire.open("GET", path, params=params, timeout=timeout) as response:
            if response.status_code >= 300:
                body = b""
                for block in response.iter_raw():
                    body += block
                    if len(body) > limits.KUBE_ERRORS:
                        break
                raise of_answer(Answer(response.status_code, {}, body), asked("GET", path))
            yield response.iter_raw()

    def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        command: Sequence[str],
        *,
        output: Callable[[bytes], object],
        feed: Iterable[bytes] | None = None,
        timeout: float = 60.0,
    ) -> streams.Ended:
        """Run a command in a container, its standard output block by block to `output`.

        Needs `create` on pods/exec.  Raises `ExecFailed` if it did not run, `TimedOut` if it did not end.
        """
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(pod, safe='')}/exec"
        params = [("container", container), ("stdout", "true"), ("stderr", "true")]
        params += [("stdin", "true")] if feed is not None else []
        params += [("command", part) for part in command]
        return streams.run(self.wire, path, params, output=output, feed=feed, timeout=timeout)

    # --- questions ----------------------------------------------------------------------------

    def can_i(
        self,
        verb: str,
        resource: str,
        subresource: str = "",
        *,
        name: str = "",
        namespace: str = "",
        group: str = "",
    ) -> Allowed:
        """Whether these credentials may (SelfSubjectAccessReview, authorization.k8s.io/v1)."""
        attributes = {
            "verb": verb,
            "resource": resource,
            "subresource": subresource,
            "name": name,
            "namespace": namespace,
            "group": group,
        }
        review = self.post(
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
            },
        )
        status = review.get("status")
        if not isinstance(status, dict):
            raise BadAnswer("the API server's review has no status")
        return Allowed(status.get("allowed") is True, shown(str(status.get("reason") or "")))

    def pod(self, namespace: str, name: str) -> Object:
        """A pod; raises `NotFound`."""
        return self.get(f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(name, safe='')}")

    def node(self, name: str) -> Object:
        """A node; raises `NotFound`."""
        return self.get(f"/api/v1/nodes/{quote(name, safe='')}")

    def pods(
        self, namespace: str | None = None, *, node: str | None = None, labels: str = ""
    ) -> Iterator[Object]:
        """The pods of a namespace, or of all of them; of one node, with these labels."""
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods" if namespace else "/api/v1/pods"
        chosen = {"fieldSelector": f"spec.nodeName={node}" if node else "", "labelSelector": labels}
        return self.items(path, {key: value for key, value in chosen.items() if value})

    def nodes(self) -> Iterator[Object]:
        """All nodes."""
        return self.items("/api/v1/nodes")

    def items(self, path: str, params: Mapping[str, str] | None = None) -> Iterator[Object]:
        """The objects of a list, page after page, at most `limits.KUBE_OBJECTS`."""
        asking, seen = {**(params or {}), "limit": str(limits.KUBE_PAGE)}, 0
        while True:
            page = self.get(path, asking)
            for item in page.get("items") or []:
                seen += 1
                if seen > limits.KUBE_OBJECTS:
                    raise BadAnswer(
                        f"{path} lists more than {limits.KUBE_OBJECTS} objects",
                        hint="name a namespace",
                        code="k8s.too-large",
                    )
                if isinstance(item, dict):
                    yield item
            token = (page.get("metadata") or {}).get("continue")
            # A server that says go on and gives nothing would be asked for ever.
            if not token or not page.get("items"):
                return
            asking["continue"] = str(token)
