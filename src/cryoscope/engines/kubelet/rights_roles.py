"""Who needs which right, and what for; deploy/rbac/ gives the same, a test holds one against the other."""

from __future__ import annotations

from cryoscope.engines.port import Record

TARGET, CLUSTER, READER, SANDBOX = "target", "cluster", "reader", "sandbox"
"""Where a right is asked for: the container's namespace, none, that of readers, that of restored pods."""


class Right(Record, frozen=True, kw_only=True):
    """A right in RBAC's words; `resource` may have a subresource ("pods/exec"), `name` one object."""

    verb: str
    resource: str
    where: str
    purpose: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{' ' + self.name if self.name else ''}"


class Role(Record, frozen=True, kw_only=True):
    """A part that somebody plays; `manifest` gives its rights, to `account` if it is played by token."""

    name: str
    does: str
    manifest: str
    account: str = ""
    rights: tuple[Right, ...]


def _right(verb: str, resource: str, where: str, purpose: str, name: str = "") -> Right:
    return Right(verb=verb, resource=resource, where=where, purpose=purpose, name=name)


PODS = _right("get", "pods", TARGET, "finds a pod's node and its containers' ids")
ALL_PODS = _right("list", "pods", TARGET, "lists what can be captured")
NODES = _right("get", "nodes", CLUSTER, "finds the address of a pod's kubelet, and its runtime")
ALL_NODES = _right("list", "nodes", CLUSTER, "says which nodes can checkpoint")
CHECKPOINT = _right("create", "nodes/checkpoint", CLUSTER, "has a kubelet checkpoint a container")

VIEWER = Role(
    name="viewer",
    does="sees what could be captured",
    manifest="deploy/rbac/viewer.yaml",
    rights=(PODS, ALL_PODS, NODES, ALL_NODES),
)
RESPONDER = Role(
    name="responder",
    does="saves what lies next to a capture",
    manifest="deploy/rbac/responder.yaml",
    rights=(
        PODS,
        ALL_PODS,
        _right("get", "pods/log", TARGET, "saves what the containers wrote"),
        _right("list", "events", TARGET, "saves what happened to the pod"),
        NODES,
        ALL_NODES,
    ),
)
CAPTURER = Role(
    name="capturer",
    does="captures",
    manifest="deploy/rbac/capturer.yaml",
    account="capturer",
    rights=(CHECKPOINT,),
)
CUSTODIAN = Role(
    name="custodian",
    does="collects archives from nodes",
    manifest="deploy/rbac/custodian.yaml",
    account="custodian",
    rights=(
        _right("create", "pods", READER, "starts the pod that reads an archive"),
        _right("get", "pods", READER, "waits for it"),
        _right("list", "pods", READER, "finds readers that were left behind"),
        _right("delete", "pods", READER, "removes it"),
        _right("create", "pods/exec", READER, "reads the archive in it (Kubernetes 1.35 and later)"),
        _right("get", "pods/exec", READER, "reads the archive in it (before 1.35, over WebSocket)"),
        _right("list", "events", READER, "says why it does not start"),
        _right("get", "configmaps", READER, "knows its image", "cryoscope-reader"),
    ),
)
RESTORER = Role(
    name="restorer",
    does="restores in the cluster's sandbox",
    manifest="deploy/rbac/restorer.yaml",
    rights=(
        _right("create", "pods", SANDBOX, "starts the pod of a restored container"),
        _right("get", "pods", SANDBOX, "watches over it"),
        _right("delete", "pods", SANDBOX, "removes it"),
        _right("get", "pods/log", SANDBOX, "reads what it goes on to write"),
        _right("create", "pods/exec", SANDBOX, "asks it what it knows"),
    ),
)
ROLES = (VIEWER, RESPONDER, CAPTURER, CUSTODIAN, RESTORER)
