"""`cryoscope doctor k8s`: which rights these credentials have, what each is for, whether kubelets answer.

Rights are asked of the API server (SelfSubjectAccessReview), which decides them as for the kubelet: `create`
on `nodes`, subresource `checkpoint`, with the node's name.
"""

from __future__ import annotations

from collections.abc import Iterator

from cryoscope.engines.host import Host
from cryoscope.engines.kubelet import errors
from cryoscope.engines.kubelet.rights_nodes import nodes
from cryoscope.engines.kubelet.rights_roles import (
    CHECKPOINT,
    CLUSTER,
    READER,
    ROLES,
    SANDBOX,
    TARGET,
    Right,
    Role,
)
from cryoscope.engines.port import Check, Reach
from cryoscope.kubeapi.client import Client
from cryoscope.kubeapi.errors import KubeError

SANDBOX_NAMESPACE = "cryoscope-sandbox"
"""deploy/namespaces.yaml."""
PROXY = (
    ("create", "runs commands in any container of any node, past admission and the pods' audit events"),
    ("get", "runs commands in any container of any node, over WebSocket, although it looks like reading"),
)
"""What nodes/proxy gives beyond checkpoints."""


def rights(
    client: Client, namespace: str | None, node: str | None, reach: Reach | None = None
) -> list[Check]:
    """What these credentials may and what each role would need, then each node and its kubelet's answer.

    `namespace` is where containers would be captured (the context's, by default), `node` narrows to one.
    Raises an EngineError if the API server does not answer.
    """
    reach = reach or Reach(host=Host())
    asking = _Asking(client, namespace or client.namespace, node, reach)
    try:
        return [*asking.rights(), *asking.roles(), *asking.proxy(), *nodes(client, node, reach)]
    except KubeError as error:
        raise errors.of_api(error) from None


class _Asking:
    """One caller's rights, each asked once."""

    def __init__(self, client: Client, namespace: str, node: str | None, reach: Reach) -> None:
        self.client = client
        self.node = node or ""
        self.namespaces = {
            TARGET: namespace,
            CLUSTER: "",
            READER: reach.reader_namespace,
            SANDBOX: SANDBOX_NAMESPACE,
        }
        self._known: dict[tuple[str, str, str, str], bool] = {}

    def may(self, verb: str, resource: str, where: str, name: str = "") -> bool:
        key = (verb, resource, where, name)
        if key not in self._known:
            kind, _, sub = resource.partition("/")
            named = name or (self.node if where == CLUSTER else "")
            allowed = self.client.can_i(verb, kind, sub, name=named, namespace=self.namespaces[where])
            self._known[key] = bool(allowed)
        return self._known[key]

    def has(self, right: Right) -> bool:
        return self.may(right.verb, right.resource, right.where, right.name)

    def rights(self) -> Iterator[Check]:
        """Every right that some role needs, once."""
        for right in dict.fromkeys(right for role in ROLES for right in role.rights):
            about = f"{right}{self._in(right)}: {right.purpose}"
            if self.has(right):
                yield Check(code="rights.has", state="ok", what=f"may {about}")
            else:
                yield Check(
                    code="rights.lacks", state="warn", what=f"may not {about}", cure=self._cure(right)
                )

    def roles(self) -> Iterator[Check]:
        """Every role: complete, or what it lacks."""
        for role in ROLES:
            lacking = [right for right in role.rights if not self.has(right)]
            yield self._role(role, lacking)

    def _role(self, role: Role, lacking: list[Right]) -> Check:
        code = f"rights.{role.name}"
        if not lacking:
            return Check(code=code, state="ok", what=f"can be {role.name}: {role.does}")
        if role.account and self.may("create", "serviceaccounts/token", READER, role.account):
            token = f"kubectl create token {role.account} -n {self.namespaces[READER]}"
            return Check(code=code, state="ok", what=f"can be {role.name} by a token: {token}")
        missing = ", ".join(f"{right}{self._in(right)}" for right in lacking)
        return Check(
            code=code,
            state="warn",
            what=f"cannot be {role.name} ({role.does}): lacks {missing}",
            cure=f"{role.manifest} gives it",
        )

    def proxy(self) -> Iterator[Check]:
        """What nodes/proxy would give, where these credentials have it."""
        given = [(verb, gives) for verb, gives in PROXY if self.may(verb, "nodes/proxy", CLUSTER)]
        for verb, gives in given:
            yield Check(
                code="rights.proxy",
                state="warn",
                what=f"may {verb} nodes/proxy: {gives}",
                cure="captures need create on nodes/checkpoint only; take nodes/proxy away",
            )
        if not given:
            what = "may not use nodes/proxy, which only ?via=apiserver needs"
            yield Check(code="rights.proxy", state="ok", what=what)

    def _in(self, right: Right) -> str:
        namespace = self.namespaces[right.where]
        return f" in {namespace}" if namespace else f" on {self.node}" if self.node else ""

    def _cure(self, right: Right) -> str:
        manifest = next(role.manifest for role in ROLES if right in role.rights)
        if right == CHECKPOINT and not self.node:
            return f"{manifest} gives it; a right on single nodes shows when the node is named"
        return f"{manifest} gives it"
