"""The kubelet's checkpoints through the API server's node proxy: `k8s://…?via=apiserver`.

    POST /api/v1/nodes/NODE/proxy/checkpoint/NAMESPACE/POD/CONTAINER?timeout=SECONDS

For where nodes cannot be reached from here.  It needs `create` on nodes/proxy, which grants far more than
checkpoints, so it is never taken unasked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryoscope.engines.kubelet.engine import Kubernetes
    from cryoscope.engines.port import Reach
    from cryoscope.engines.target import Target


def connect(target: Target, reach: Reach) -> Kubernetes:
    """The engine of a pod; raises what reading the kubeconfig does, and sends nothing yet."""
    from cryoscope.engines.apiserver.proxied import Proxied
    from cryoscope.engines.kubelet.engine import Kubernetes

    return Kubernetes(target, reach, Proxied, name="apiserver")


def discover(reach: Reach) -> Iterator[Kubernetes]:
    """None: the same containers are listed by the kubelet's engine, which needs less."""
    yield from ()
