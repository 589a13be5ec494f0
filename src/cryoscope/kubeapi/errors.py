"""What goes wrong between here and the API server, each with a stable code and a cure.

    KubeError                 k8s.failed
    ├── Unauthorized          k8s.unauthorized        ├── Unreachable     k8s.unreachable
    ├── Forbidden             k8s.forbidden           │   └── TlsFailed   k8s.tls
    ├── NotFound              k8s.not-found           ├── TimedOut        k8s.timeout
    ├── Exists                k8s.exists              ├── BadAnswer       k8s.answer, k8s.too-large
    ├── Invalid               k8s.invalid             ├── BadConfig       k8s.config, k8s.no-config, ...
    ├── Busy                  k8s.busy                │   └── ContextUnknown   k8s.context-unknown
    └── ExecFailed            k8s.exec                └── PluginFailed    k8s.exec-plugin

`of_answer` makes one of an answer with a Status object
(https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cryoscope.errors import CryoscopeError
from cryoscope.text import escape, readable

if TYPE_CHECKING:
    from cryoscope.kubeapi.http import Answer

SHOWN = 400
"""Characters of a stranger's message that one line of ours repeats."""


class KubeError(CryoscopeError):
    """`status` is the answer's HTTP status, 0 if there was none."""

    default_code = "k8s.failed"
    status = 0


class Unauthorized(KubeError):
    default_code = "k8s.unauthorized"


class Forbidden(KubeError):
    """`verb` and `resource` ("pods", "nodes/proxy") are what was refused."""

    default_code = "k8s.forbidden"
    verb = ""
    resource = ""


class NotFound(KubeError):
    default_code = "k8s.not-found"


class Exists(KubeError):
    default_code = "k8s.exists"


class Invalid(KubeError):
    default_code = "k8s.invalid"


class Busy(KubeError):
    default_code = "k8s.busy"


class Unreachable(KubeError):
    default_code = "k8s.unreachable"


class TlsFailed(Unreachable):
    default_code = "k8s.tls"


class TimedOut(KubeError):
    exit_code = 5
    default_code = "k8s.timeout"


class BadAnswer(KubeError):
    default_code = "k8s.answer"


class BadConfig(KubeError):
    exit_code = 2
    default_code = "k8s.config"


class ContextUnknown(BadConfig):
    default_code = "k8s.context-unknown"


class PluginFailed(KubeError):
    default_code = "k8s.exec-plugin"


class ExecFailed(KubeError):
    default_code = "k8s.exec"


class Status(msgspec.Struct):
    """The part of a Status object that is read."""

    kind: str = ""
    message: str = ""
    reason: str = ""
    code: int = 0


class Asked(msgspec.Struct, frozen=True):
    """What a request is about, in RBAC's words: `pods/log` of `name` in `namespace`."""

    verb: str
    resource: str
    name: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.resource}{' ' + self.name if self.name else ''}{where}"


VERBS = {"GET": "get", "POST": "create", "DELETE": "delete", "PUT": "update", "PATCH": "patch"}


def asked(method: str, path: str) -> Asked:
    """What a path of the API asks for: /api/v1/[namespaces/NS/]RESOURCE[/NAME[/SUBRESOURCE...]]."""
    parts = [part for part in path.partition("?")[0].split("/") if part]
    rest = parts[2:] if parts[:1] == ["api"] else parts[3:]
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    resource = rest[0] if rest else path
    if len(rest) > 2:
        resource += "/" + rest[2]
    name = rest[1] if len(rest) > 1 else ""
    verb = VERBS.get(method, method.lower())
    return Asked("list" if verb == "get" and not name else verb, resource, name, namespace)


def shown(text: bytes | str) -> str:
    """A stranger's text as one line for a message."""
    line = " ".join(readable(text[: 4 * SHOWN]).split())
    return escape(line[:SHOWN] + ("…" if len(line) > SHOWN else ""))


def status_of(body: bytes) -> Status | None:
    """The Status object of a body; None if it is something else."""
    try:
        status = msgspec.json.decode(body, type=Status)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return status if status.kind == "Status" else None


def of_answer(answer: Answer, about: Asked) -> KubeError:
    """The error that an answer of 300 or more means."""
    status = status_of(answer.body)
    said = shown(status.message if status else answer.body) or f"HTTP status {answer.status}"
    kind, message, hint = _explained(answer.status, status, said, about)
    error = kind(message, hint=hint)
    error.status = answer.status
    if isinstance(error, Forbidden):
        error.verb, error.resource = about.verb, about.resource
    return error


def _explained(code: int, status: Status | None, said: str, about: Asked) -> tuple[type[KubeError], str, str]:
    if code == 401:
        return (
            Unauthorized,
            "the API server does not know these credentials",
            "log in again, or name another --context",
        )
    if code == 403:
        return Forbidden, f"not allowed: {about} ({said})", _grant(about)
    if code == 404:
        return NotFound, f"there is no {_one(about)}: {said}", "look for it with kubectl get"
    if code == 409:
        return (
            Exists,
            f"{about.resource} {about.name}: {said}",
            "it is there already, or somebody changes it: try again",
        )
    if code in (400, 405, 413, 422):
        return Invalid, f"the API server refuses to {about}: {said}", ""
    if code in (429, 503):
        return Busy, f"the API server is busy: {said}", "try again in a moment"
    if 300 <= code < 400:
        return (
            BadAnswer,
            "the API server redirects, and credentials are not sent on",
            "give the server's own address",
        )
    return KubeError, f"the API server failed to {about}: {said}", ""


def _one(about: Asked) -> str:
    """One of a resource in words: `pod web` of `get pods web`, `log of pod web` of `get pods/log web`."""
    if not about.name:
        return f"resource {about.resource}"
    resource, _, sub = about.resource.partition("/")
    kind = resource[:-3] + "y" if resource.endswith("ies") else resource.removesuffix("s")
    return (f"{sub} of " if sub else "") + f"{kind} {about.name}"


def _grant(about: Asked) -> str:
    resource, _, sub = about.resource.partition("/")
    asked = f"kubectl auth can-i {about.verb} {resource}"
    asked += f" --subresource={sub}" if sub else ""
    asked += f" -n {about.namespace}" if about.namespace else ""
    return f"it needs a role with verb {about.verb} on {about.resource}; ask with: {asked}"
