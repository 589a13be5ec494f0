"""What keeps a restored pod from going on, each with a stable code and a cure.

restore.denied        RBAC forbids a step           restore.image       the image does not come
restore.admission     a policy refuses the pod      restore.not-taken   no kubelet took the pod
restore.namespace     no such namespace             restore.rejected    the node refuses the pod
restore.exists        the name is taken             restore.ended       it ended as soon as it went on
restore.invalid       the API server refuses it     restore.not-started it does not start in time
cri.…, criu.…         what the runtime says, and CRIU through it (engines/cri/refusals, engines/criu_log)
restore.not-a-checkpoint  the runtime would start a program in place of restoring
k8s.…                 what the API server says (kubeapi/errors.py)
"""

from __future__ import annotations

from cryoscope.engines.cri.refusals import row_of
from cryoscope.engines.criu_log import explain
from cryoscope.engines.port import EngineError
from cryoscope.kubeapi.errors import Exists, Forbidden, Invalid, KubeError, NotFound, shown

DENIED = "cannot create resource"
"""How RBAC's refusals read; what else is forbidden was forbidden by admission."""
NEW_NAME = "name another with --name, or remove that one"


class ClusterError(EngineError):
    default_code = "restore.failed"


class ClusterRefused(ClusterError):
    """The API server refused to make something: nothing was made."""


class NotReached(ClusterError):
    """What was asked for is under way, and what becomes of it is not known."""

    exit_code = 5
    default_code = "restore.not-started"


def of_making(error: KubeError, kind: str, name: str, namespace: str) -> ClusterError:
    """What the API server says to a new object; no `ClusterRefused` where it may have been made."""
    if not 400 <= error.status < 500:
        return ClusterError(error.message, hint=error.hint, code=error.code)
    code, what, cure = _refusal(error, kind, name, namespace)
    return ClusterRefused(what, hint=cure, code=code)


def _refusal(error: KubeError, kind: str, name: str, namespace: str) -> tuple[str, str, str]:
    if isinstance(error, Exists):
        return "restore.exists", f"there is a {kind} {name} in {namespace} already", NEW_NAME
    if isinstance(error, NotFound):
        cure = "kubectl apply -k deploy/ makes cryoscope-sandbox; or name another with --namespace"
        return "restore.namespace", f"there is no namespace {namespace}", cure
    if isinstance(error, Forbidden) and DENIED in error.message:
        return "restore.denied", error.message, error.hint
    if isinstance(error, Forbidden) or "denied request" in error.message:
        what = f"the cluster refuses the {kind}: {error.message}"
        return "restore.admission", what, "a policy of that namespace says so: see what it lets in"
    if isinstance(error, Invalid):
        return "restore.invalid", error.message, "see the manifests: leave --apply out"
    return error.code, error.message, error.hint


def of_runtime(reason: str, message: str) -> ClusterError:
    """What a runtime says through its kubelet (pkg/kubelet/container/sync_result.go)."""
    if "no command specified" in message:
        return ClusterError(
            "the runtime took the image for a program's: it restores none, or not from this image",
            hint="restore on CRI-O, or on containerd 2.1 to 2.3; cryoscope image inspect shows whose it is",
            code="restore.not-a-checkpoint",
        )
    if (row := row_of(message)) is not None:
        found = row.shows.search(message)
        groups = [shown(each or "") for each in found.groups()] if found else []
        return ClusterError(row.what.format(*groups), hint=row.cure, code=row.code)
    if (cause := explain(message)) is not None:
        return ClusterError(f"the runtime cannot restore it: {cause.what}", hint=cause.cure, code=cause.code)
    return ClusterError(
        f"the runtime does not let it go on: {shown(message or reason)}",
        hint="the runtime's log on the node says more; CRIU's is restore.log beside the container",
        code="restore.not-started",
    )
