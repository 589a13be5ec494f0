"""What keeps an archive from coming here, each with a stable code and a cure.

collect.name            the kubelet names a file that is no archive of its own
collect.missing         no such file on the node              collect.changed    it changed while it was read
collect.not-this-node   no such folder here                   collect.digest     other bytes came
collect.unsafe          a link, another owner, no plain file  collect.broken     the stream broke off
collect.unreadable      the node does not let it be read      collect.deadline   it took too long
collect.denied          RBAC forbids a step                   collect.admission  a policy refuses the pod
collect.namespace       no such namespace                     collect.image-unset   no image for the reader
collect.image           the image does not come               collect.image-tools   it lacks a program
collect.not-scheduled   no kubelet took the pod               collect.rejected   the node refuses the pod
collect.not-started     the pod does not start                collect.folder     the policy has another folder
k8s.…                   what the API server says (kubeapi/errors.py)
"""

from __future__ import annotations

from cryoscope.engines.port import EngineError


class CollectError(EngineError):
    """Captured, but not collected: the archive is complete on its node (hence the exit code)."""

    exit_code = 5
    default_code = "collect.failed"
