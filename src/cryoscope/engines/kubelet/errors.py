"""What a kubelet's refusal is about: what to do differs, and exit codes do.

KubeletError
├── Denied              who asks may not
├── NodeUnable          nothing on this node can be checkpointed so
├── NotCheckpointable   this container cannot, as it is now
├── Race                two at once: the only ones that are tried again
├── Misunderstood       the request is not as the kubelet wants it
├── Untrusted           the answer is not as a kubelet's must be
├── SameName            the archive went over another one (exit code 5)
└── Truncated           the archive ends before its end (exit code 5)
TargetGone              a NoSuchContainer
Hung                    an EngineHung
Unreachable             an EngineUnreachable
"""

from __future__ import annotations

from cryoscope.engines.port import EngineError, EngineHung, EngineUnreachable, NoSuchContainer
from cryoscope.errors import CryoscopeError, Refused
from cryoscope.kubeapi.errors import KubeError, NotFound, TimedOut
from cryoscope.kubeapi.errors import Unreachable as ApiUnreachable


class KubeletError(EngineError):
    default_code = "kubelet.failed"


class Denied(KubeletError):
    default_code = "kubelet.forbidden"


class NodeUnable(KubeletError):
    default_code = "kubelet.unable"


class NotCheckpointable(KubeletError):
    default_code = "kubelet.not-checkpointable"


class Race(KubeletError):
    default_code = "kubelet.busy"


class Misunderstood(KubeletError):
    default_code = "kubelet.request"


class Untrusted(KubeletError):
    default_code = "kubelet.answer"


class Truncated(KubeletError):
    exit_code = 5
    default_code = "kubelet.truncated"


class SameName(KubeletError):
    exit_code = 5
    default_code = "kubelet.same-name"


class TargetGone(NoSuchContainer):
    default_code = "kubelet.pod-unknown"


class Hung(EngineHung):
    default_code = "kubelet.deadline"


class Unreachable(EngineUnreachable):
    default_code = "kubelet.unreachable"


class NoRestore(Refused):
    default_code = "k8s.restore"


SILENT = (
    "the kubelet itself waits as long as its runtimeRequestTimeout, two minutes unless set; an archive may "
    "still appear in its checkpoints folder; give a longer --timeout"
)


def of_api(error: KubeError) -> CryoscopeError:
    """An API server's error as an engine's, with the same code; usage stays usage."""
    kinds: list[tuple[type[KubeError], type[EngineError]]] = [
        (ApiUnreachable, EngineUnreachable),
        (TimedOut, EngineHung),
        (NotFound, NoSuchContainer),
    ]
    if error.exit_code == 2:
        return error
    kind = next((ours for theirs, ours in kinds if isinstance(error, theirs)), EngineError)
    return kind(error.message, hint=error.hint, code=error.code)


def of_kubelet(error: KubeError, way: str) -> CryoscopeError:
    """What went wrong on the wire to a kubelet; `way` begins the code."""
    code = error.code.partition(".")[2]
    if isinstance(error, TimedOut):
        return Hung(error.message, hint=SILENT, code=f"{way}.silent")
    if isinstance(error, ApiUnreachable):
        return Unreachable(error.message, hint=error.hint, code=f"{way}.{code}")
    if code in ("answer", "too-large"):
        return Untrusted(error.message, hint=error.hint, code=f"{way}.answer")
    return of_api(error)
