"""Targets: what is to be captured, as a URL.

    podman://NAME  docker://NAME           a container's name, its id or the first digits of its id
    cri://CONTAINER  cri://containerd/ID   the runtime may be left out where only one is there
    pid://1234                             a process and all below it
    k8s://NAMESPACE/POD                    all its containers with --all-containers, else its only one
    k8s://NAMESPACE/POD/CONTAINER          ?context=NAME  ?via=apiserver|kubelet  ?node=NAME

Names are checked here, because alerts bring them: they end in URLs, in paths of APIs and on terminals.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, quote, unquote, urlsplit

import msgspec

from cryoscope.errors import UsageError
from cryoscope.text import readable

SCHEMES = ("podman", "docker", "cri", "pid", "k8s")
RUNTIMES = ("containerd", "crio")
CONTAINER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}\Z")
"""Names of containers: Docker's and Podman's rule, which ids meet too."""
LABEL = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")
"""Names in Kubernetes: DNS-1123 subdomains (k8s.io/apimachinery, util/validation)."""
PARAMETERS = {"k8s": {"context", "via", "node"}}
EXAMPLES = "podman://NAME, docker://NAME, cri://containerd/ID, pid://1234 or k8s://NAMESPACE/POD/CONTAINER"


class BadTarget(UsageError):
    default_code = "target.bad"


class Target(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A container, a process tree or a pod somewhere.

    `reference` is the container's name or the first digits of its id, a process id, or for `k8s` the
    container in `pod` (None: the only one).  `runtime` is of `cri`, the rest of `k8s`.
    """

    scheme: str
    reference: str | None = None
    runtime: str | None = None
    namespace: str | None = None
    pod: str | None = None
    context: str | None = None
    node: str | None = None
    via: str = "kubelet"

    @property
    def kind(self) -> str:
        """Its key in `engines.ENGINES`."""
        return "k8s+apiserver" if self.scheme == "k8s" and self.via == "apiserver" else self.scheme

    def __str__(self) -> str:
        parts = [self.runtime, self.namespace, self.pod, self.reference]
        path = "/".join(quote(part, safe="") for part in parts if part is not None)
        given = {
            "context": self.context,
            "node": self.node,
            "via": self.via if self.via != "kubelet" else None,
        }
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in given.items() if value)
        return f"{self.scheme}://{path}" + (f"?{query}" if query else "")


def parse(text: str) -> Target:
    """The target that a URL names; raises `BadTarget` with what is wrong and an example."""
    scheme, mark, _ = text.partition("://")
    if not mark or scheme not in SCHEMES:
        raise BadTarget(f"{readable(text)[:200]} is no target", hint=f"give {EXAMPLES}")
    try:
        url = urlsplit(text)
    except ValueError as error:
        raise BadTarget(f"{readable(text)[:200]}: {error}", hint=f"give {EXAMPLES}") from None
    parts = [unquote(part) for part in (url.netloc + url.path).split("/") if part]
    return _READERS[scheme](parts, _query(scheme, url.query))


def _query(scheme: str, text: str) -> dict[str, str]:
    given = {name: values[-1] for name, values in parse_qs(text, max_num_fields=16).items()}
    unknown = sorted(given.keys() - PARAMETERS.get(scheme, set()))
    if unknown:
        known = ", ".join(sorted(PARAMETERS.get(scheme, set()))) or "none"
        raise BadTarget(f"{scheme}:// has no parameter {readable(unknown[0])}", hint=f"it knows: {known}")
    return given


def _checked(name: str, rule: re.Pattern[str], what: str) -> str:
    if not rule.match(name):
        raise BadTarget(f"{readable(name)[:100]!r} is no name of a {what}", hint=f"give {EXAMPLES}")
    return name


def _container(scheme: str) -> Callable[[list[str], dict[str, str]], Target]:
    def read(parts: list[str], _: dict[str, str]) -> Target:
        if len(parts) != 1:
            raise BadTarget(f"{scheme}:// takes one container", hint=f"{scheme}://NAME")
        return Target(scheme=scheme, reference=_checked(parts[0], CONTAINER, "container"))

    return read


def _cri(parts: list[str], _: dict[str, str]) -> Target:
    runtime = parts.pop(0) if len(parts) == 2 and parts[0] in RUNTIMES else None
    if len(parts) != 1:
        raise BadTarget(
            "cri:// takes a container, after containerd or crio if both are here", hint="cri://crio/ID"
        )
    return Target(scheme="cri", runtime=runtime, reference=_checked(parts[0], CONTAINER, "container"))


def _pid(parts: list[str], _: dict[str, str]) -> Target:
    if len(parts) != 1 or not re.fullmatch(r"[1-9][0-9]{0,9}", parts[0]):
        raise BadTarget("pid:// takes the number of a process", hint="pid://1234")
    return Target(scheme="pid", reference=parts[0])


def _kubernetes(parts: list[str], given: dict[str, str]) -> Target:
    if len(parts) not in (2, 3):
        raise BadTarget("k8s:// takes a namespace and a pod", hint="k8s://NAMESPACE/POD/CONTAINER")
    via = given.get("via", "kubelet")
    if via not in ("kubelet", "apiserver"):
        raise BadTarget(f"there is no way via {readable(via)[:50]}", hint="via=kubelet or via=apiserver")
    node = given.get("node")
    return Target(
        scheme="k8s",
        namespace=_checked(parts[0], LABEL, "namespace"),
        pod=_checked(parts[1], LABEL, "pod"),
        reference=_checked(parts[2], LABEL, "container") if len(parts) == 3 else None,
        context=given.get("context"),
        node=_checked(node, LABEL, "node") if node else None,
        via=via,
    )


_READERS = {
    "podman": _container("podman"),
    "docker": _container("docker"),
    "cri": _cri,
    "pid": _pid,
    "k8s": _kubernetes,
}
