"""What the API server says on the way to a kubelet, before the kubelet's own rows.

Its own refusals are Status objects; what the kubelet says comes through as it is, about the API server's
certificate and not about the caller's (k8s.io/kubernetes/pkg/registry/core/node/rest).
"""

from __future__ import annotations

from cryoscope.engines.kubelet.cases import CASES as OF_KUBELET
from cryoscope.engines.kubelet.cases import Case
from cryoscope.engines.kubelet.errors import Denied, KubeletError, Misunderstood, TargetGone, Unreachable

STATUS = r'\A\s*\{\s*"kind":\s*"Status",.{0,4000}?'
"""A Status object, and what stands in it."""

CASES = [
    Case(
        code="apiserver.unauthorized",
        status=401,
        text=STATUS,
        what="the API server does not know these credentials",
        cure="log in again, or name another --context",
        kind=Denied,
    ),
    Case(
        code="apiserver.anonymous",
        status=403,
        text=STATUS + r'User \\"system:anonymous\\"',
        what="the API server saw no credentials",
        cure="the context has none: name another --context, or give --token-file",
        kind=Denied,
    ),
    Case(
        code="apiserver.forbidden",
        status=403,
        text=STATUS + r'User \\"(?P<user>[^"\\]{1,300})\\" cannot (?P<verb>\w+) resource \\"nodes/proxy\\"',
        what="{user} may not {verb} nodes/proxy",
        cure="go to the kubelet itself, which needs nodes/checkpoint only: leave out via=apiserver",
        kind=Denied,
    ),
    Case(
        code="apiserver.kubelet-forbidden",
        status=403,
        text=r"\AForbidden \(user=(?P<user>[^,]{1,300}), verb=\w+, resource=nodes,",
        what="the kubelet of {node} refuses the API server's own certificate, {user}",
        cure="its role system:kubelet-api-admin lacks nodes/checkpoint: bind one with it to that user, "
        "or go to the kubelet itself",
        kind=Denied,
    ),
    Case(
        code="apiserver.kubelet-unauthorized",
        status=401,
        text=r"\AUnauthorized\s*\Z",
        what="the kubelet of {node} does not know the API server",
        cure="look at the API server's kubelet-client-certificate",
        kind=Denied,
    ),
    Case(
        code="apiserver.node-unknown",
        status=404,
        text=STATUS + r'nodes \\".{1,300}\\" not found',
        what="the cluster has no node {node}",
        cure="kubectl get nodes lists them",
        kind=TargetGone,
    ),
    Case(
        code="apiserver.address",
        status=400,
        text=STATUS + r"address not allowed",
        what="the API server does not go to the address of {node}: it is a loopback or link-local one",
        cure="look at the node's addresses, or go to the kubelet itself",
        kind=Unreachable,
    ),
    Case(
        code="apiserver.node-unreachable",
        text=r"error trying to reach service|no preferred addresses found",
        what="the API server cannot reach the kubelet of {node}",
        cure="look at the node, its kubelet and the network between",
        kind=Unreachable,
    ),
    Case(
        code="apiserver.redirect",
        status=307,
        text=r"",
        what="the API server redirects the request, which is not followed",
        cure="a pod and a container are needed: k8s://NAMESPACE/POD/CONTAINER",
        kind=Misunderstood,
    ),
    Case(
        code="apiserver.failed",
        text=STATUS,
        what="the API server refuses the way to the kubelet of {node}",
        cure="try it with kubectl, and look at the API server's log",
        kind=KubeletError,
    ),
    *OF_KUBELET,
]
"""In order: who may, which node, and then the kubelet's."""
