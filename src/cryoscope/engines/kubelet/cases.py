"""Every refusal of a kubelet that is known: status and text, what it means, what to do.

Texts are those of Kubernetes 1.36 (pkg/kubelet/server, pkg/kubelet/kuberuntime) and of the runtimes behind
it, containerd 1.7 to 2.4 and CRI-O 1.37, as they were recorded or as they stand in their sources.  The
first row that fits counts.  `what` may name {namespace}, {pod}, {container}, {node}, and groups of its text.
"""

from __future__ import annotations

import re

from cryoscope.engines.kubelet.errors import (
    Denied,
    Hung,
    KubeletError,
    Misunderstood,
    NodeUnable,
    NotCheckpointable,
    Race,
    TargetGone,
)
from cryoscope.engines.port import EngineError, Record


class Case(Record, frozen=True, kw_only=True):
    """One row; `text` is searched in the body, any status fits where `status` is 0."""

    code: str
    status: int = 0
    text: str
    what: str
    cure: str
    kind: type[EngineError] = KubeletError

    def match(self, status: int, body: str) -> re.Match[str] | None:
        """Where it fits."""
        return re.search(self.text, body, re.DOTALL) if self.status in (0, status) else None


REQUEST = [
    Case(
        code="kubelet.unauthorized",
        status=401,
        text=r"\AUnauthorized\s*\Z",
        what="the kubelet of {node} does not know these credentials",
        cure="it takes the cluster's client certificates and tokens: log in again, or give --token-file",
        kind=Denied,
    ),
    Case(
        code="kubelet.anonymous",
        status=403,
        text=r"\AForbidden \(user=system:anonymous,",
        what="the kubelet of {node} saw no credentials, and lets anonymous callers do nothing",
        cure="give --token-file or --client-certificate, or a kubeconfig that has them",
        kind=Denied,
    ),
    Case(
        code="kubelet.forbidden",
        status=403,
        text=r"\AForbidden \(user=(?P<user>[^,]{1,300}), verb=\w+, resource=nodes,",
        what="{user} may not checkpoint on {node}",
        cure="it needs a ClusterRole with verb create on nodes/checkpoint; "
        "nodes/* does not grant it; ask with: kubectl auth can-i create nodes --subresource=checkpoint",
        kind=Denied,
    ),
    Case(
        code="kubelet.authorizer",
        status=500,
        text=r"\AAuthorization error ",
        what="the kubelet of {node} could not ask the API server who may",
        cure="look at the network between node and API server, and at the kubelet's log",
    ),
    Case(
        code="kubelet.checkpoint-off",
        status=404,
        text=r"\A404 page not found\s*\Z",
        what="the kubelet of {node} has checkpointing switched off",
        cure="it needs Kubernetes 1.30, or the feature gate ContainerCheckpoint; and enableDebuggingHandlers",
        kind=NodeUnable,
    ),
    Case(
        code="kubelet.path",
        status=404,
        text=r"\A404: Page Not Found",
        what="the kubelet of {node} knows no such path",
        cure="namespace, pod and container are needed: k8s://NAMESPACE/POD/CONTAINER",
        kind=Misunderstood,
    ),
    Case(
        code="kubelet.debug-off",
        status=405,
        text=r"Debug endpoints are disabled",
        what="the kubelet of {node} has its debugging handlers switched off, and checkpointing with them",
        cure="set enableDebuggingHandlers: true in the kubelet's configuration",
        kind=NodeUnable,
    ),
    Case(
        code="kubelet.method",
        status=405,
        text=r"405: Method Not Allowed",
        what="the kubelet of {node} takes checkpoints by POST only",
        cure="something between here and there changes requests: go without it",
        kind=Misunderstood,
    ),
    Case(
        code="kubelet.pod-unknown",
        status=404,
        text=r"\Apod does not exist",
        what="the kubelet of {node} has no pod {namespace}/{pod}",
        cure="it may run on another node, or have ended: kubectl get pod -o wide; uids are not taken",
        kind=TargetGone,
    ),
    Case(
        code="kubelet.container-unknown",
        status=404,
        text=r"\Acontainer .{1,300} does not exist",
        what="pod {namespace}/{pod} has no container {container}",
        cure="names are taken, ids are not: cryoscope targets lists them",
        kind=TargetGone,
    ),
    Case(
        code="kubelet.timeout-value",
        status=404,
        text=r"cannot parse value of timeout parameter",
        what="the kubelet of {node} cannot read the timeout",
        cure="it takes whole seconds",
        kind=Misunderstood,
    ),
    Case(
        code="kubelet.timeout-negative",
        status=500,
        text=r"requires the timeout value to be > 0",
        what="the kubelet of {node} was given a negative timeout",
        cure="give --timeout a number above zero",
        kind=Misunderstood,
    ),
]
"""What stands against the request itself, before any runtime is asked."""

RUNTIME = [
    Case(
        code="kubelet.busy",
        status=500,
        text=r"ctrd-checkpoint/status: no such file or directory|cannot pause a paused container",
        what="another checkpoint of {container} was under way: containerd takes one at a time",
        cure="try again; look at who else takes checkpoints",
        kind=Race,
    ),
    Case(
        code="kubelet.busy",
        status=500,
        text=r"failed to pause container .{1,300} before checkpointing: .{0,2000}container not running",
        what="another checkpoint of {container} was under way, or it ended: CRI-O could not pause it",
        cure="try again; look at who else takes checkpoints, and whether the container still runs",
        kind=Race,
    ),
    Case(
        code="kubelet.container-not-running",
        status=500,
        text=r"\(container .{1,300} not found\)|can be checkpointed|container \w{1,128} is not running",
        what="container {container} of {namespace}/{pod} does not run",
        cure="init containers that ended and containers that wait have no processes: kubectl describe pod",
        kind=NotCheckpointable,
    ),
    Case(
        code="kubelet.deadline",
        status=500,
        text=r"code = DeadlineExceeded",
        what="the runtime of {node} did not answer its kubelet in time",
        cure="look at the runtime: is it stopped or overloaded?  A large container needs a longer --timeout; "
        "CRI-O goes on, and its archive may still appear in the node's checkpoints folder",
        kind=Hung,
    ),
    Case(
        code="kubelet.runtime-too-old",
        status=500,
        text=r"code = Unimplemented",
        what="the runtime of {node} cannot checkpoint",
        cure="it needs containerd 2.0 or CRI-O 1.25",
        kind=NodeUnable,
    ),
    Case(
        code="kubelet.criu-missing",
        status=500,
        text=r"exec: \"criu\": executable file not found|criu binary not found in shim path",
        what="there is no criu on {node}",
        cure="install criu on the node, where its runtime finds it",
        kind=NodeUnable,
    ),
    Case(
        code="kubelet.criu-old",
        status=500,
        text=r"requires at least CRIU|CRIU binary not found or too old",
        what="the criu of {node} is too old",
        cure="install criu 3.16 or newer on the node; 4.0 or newer is better",
        kind=NodeUnable,
    ),
    Case(
        code="kubelet.criu-off",
        status=500,
        text=r"checkpoint/restore support not available|criu support is disabled by configuration",
        what="the runtime of {node} has checkpoints switched off",
        cure="CRI-O: enable_criu_support = true (from 1.37: container_level_enabled), and criu installed; "
        "containerd: enable_criu = true",
        kind=NodeUnable,
    ),
    Case(
        code="kubelet.libcriu-missing",
        status=500,
        text=r"could not load `?libcriu\.so",
        what="crun on {node} has no libcriu",
        cure="install libcriu2 (Debian) or criu-libs (Fedora) on the node",
        kind=NodeUnable,
    ),
    Case(
        code="kubelet.tcp-established",
        status=500,
        text=r"Connected TCP socket, consider using --tcp-established",
        what="{container} has open TCP connections, and the kubelet has no option to keep them",
        cure="on the node, write tcp-established into /etc/criu/runc.conf (crun: /etc/criu/crun.conf)",
        kind=NotCheckpointable,
    ),
    Case(
        code="kubelet.disk-full",
        status=500,
        text=r"no space left on device",
        what="the disk of {node} is full, and a truncated archive stays behind",
        cure="make room below the kubelet's root, and take away the youngest file in its checkpoints folder",
        kind=NodeUnable,
    ),
    Case(
        code="kubelet.criu-failed",
        status=500,
        text=r"criu failed: type DUMP errno \d{1,5} path= ?(?P<log>/[\w./-]{1,1000}criu-dump\.log)",
        what="CRIU failed on {container}, and containerd does not say why",
        cure="most often these are open TCP connections: on the node, write tcp-established into "
        "/etc/criu/runc.conf; the reason is in {log} there",
        kind=NotCheckpointable,
    ),
]
"""What the runtime says, which the kubelet passes on."""

CASES = REQUEST + RUNTIME
